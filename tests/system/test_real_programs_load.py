"""ApacheBench speaks HTTP/1.0 and keeps its connections."""
import re

import pytest

from proxy_fixtures import proxy  # noqa: F401 (fixture)
from real_programs import nginx, require, run  # noqa: F401 (fixture)

REQUESTS = 10_000


@pytest.mark.parametrize("concurrency", [1, 32])
def test_ab_keeps_its_connections_and_fails_no_request(proxy, nginx, concurrency):
    n = nginx()
    content = b"0123456789abcdef" * 64
    (n.www / "file").write_bytes(content)
    p = proxy([n.port])
    # -q: no progress; without -l every answer must be of the same length
    code, out, err = run(require("ab", "apache2-utils"), "-q", "-k", "-n", REQUESTS, "-c", concurrency,
                         f"http://127.0.0.1:{p.port}/file")
    report = out.decode()
    assert code == 0, err.decode()

    def count(name):
        found = re.search(rf"^{name}:\s+(\d+)", report, re.M)
        return int(found.group(1)) if found else 0

    assert count("Complete requests") == REQUESTS, report
    assert count("Failed requests") == 0 and count("Write errors") == 0 and count("Non-2xx responses") == 0, report
    assert count("Keep-Alive requests") == REQUESTS, report
    assert count("HTML transferred") == REQUESTS * len(content), report
    assert len(n.wait_for_requests(REQUESTS)) == REQUESTS

"""Fixtures for tests of the proxy alone; imported by those test files."""
import pytest

from proxy_alone import ProxyAlone, Upstream


@pytest.fixture
def upstream():
    """upstream(script) -> Upstream; closed after the test."""
    made = []

    def make(script):
        made.append(Upstream(script))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def proxy(tmp_path):
    """proxy(ports, ...) -> ProxyAlone. After the test it must drain and exit with 0: a sanitizer's report fails the test."""
    made = []

    def make(ports, **options):
        folder = tmp_path / f"proxy{len(made)}" if made else tmp_path
        folder.mkdir(exist_ok=True)
        made.append(ProxyAlone(folder, ports, **options))
        return made[-1]

    yield make
    codes = [one.stop() for one in made]
    for one, code in zip(made, codes):
        log = open(one.log_path, errors="replace").read()
        is_cut_short = "drainMs" in one.document["settings"].get("timeouts", {})
        assert code == (3 if "drain time is over" in log and code else 0), log
        assert "Sanitizer" not in log and "check failed" not in log, log
        assert is_cut_short or "drain time is over" not in log, log

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
        made.append(ProxyAlone(tmp_path, ports, **options))
        return made[-1]

    yield make
    for one in made:
        code = one.stop()
        log = open(one.log_path).read()
        assert code == 0, log
        assert "Sanitizer" not in log and "check failed" not in log, log

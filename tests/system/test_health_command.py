"""`portico health`: what a container's health check and scripts ask."""
import os
import signal

import pytest

from conftest import run_portico, wait_until

TOKEN = "a-token-of-the-admin-api-0123456789"


def use_token(p, token):
    p.config["admin"]["token"] = token
    p.write_config()
    p.config_path.chmod(0o600)


def health(p):
    done = run_portico("health", "--config", p.config_path)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "[::1]"])
def test_whoever_is_ready_is_healthy_by_any_address_and_with_the_token(make_portico, host):
    p = make_portico()
    p.config["admin"]["address"] = f"{host}:{p.admin_port}"
    use_token(p, TOKEN)
    p.start()
    wait_until(lambda: health(p) == (0, "ready\n", ""), "healthy")


def test_nobody_is_not_healthy(make_portico):
    code, said, why = health(make_portico())
    assert (code, said) == (1, "") and why == "portico health: the admin API does not answer: cannot connect: Connection refused\n"


def test_a_proxy_that_stands_still_is_not_healthy_and_says_why(make_portico):
    p = make_portico(proxy={"workers": 1, "timeouts": {"watchdog": "1h"}})
    p.start_and_wait()
    os.kill(p.child("proxy"), signal.SIGSTOP)
    wait_until(lambda: health(p)[0] == 1 and "no sign of life" in health(p)[2], "not healthy, for that reason")
    os.kill(p.child("proxy"), signal.SIGCONT)
    wait_until(lambda: health(p)[0] == 0, "healthy again")


def test_a_control_that_stands_still_is_not_healthy(make_portico):
    p = make_portico(proxy={"workers": 1, "timeouts": {"watchdog": "1h"}})
    p.start_and_wait()
    pid = p.child("control")
    os.kill(pid, signal.SIGSTOP)
    assert health(p)[0] == 1
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: health(p)[0] == 0, "healthy again")


def test_another_token_than_that_in_force_is_said_in_one_line(make_portico):
    p = make_portico()
    use_token(p, TOKEN)
    p.start()
    wait_until(lambda: health(p)[0] == 0, "healthy")
    use_token(p, TOKEN + "x")
    wait_until(lambda: health(p) == (1, "", "portico health: the admin API has another token than the configuration\n"), "said")

"""The unit under a real systemd: start, reload, upgrade, a crash, a refusal, restart and stop."""
import http.client
import os

import docker
import pytest

from engine import wait_until
from systemd import CONFIG, PROGRAM, Machine

pytestmark = pytest.mark.xdist_group("systemd")  # one machine for all

GOOD = """
listeners: [{ name: http, address: "0.0.0.0:80" }]
docker: { enabled: false }
proxy: { workers: 1 }
"""


@pytest.fixture(scope="module")
def machine(engine, tmp_path_factory):
    if not os.path.exists("/usr/lib/systemd/systemd"):
        pytest.skip("no systemd here")
    client = docker.DockerClient(base_url=f"unix://{engine.socket}")
    m = Machine(client, engine.socket, tmp_path_factory.mktemp("machine"))
    try:
        if not m.start():
            pytest.skip(f"no systemd starts in a container here: {m.container.attrs['State'].get('Error') or m.container.logs()[-500:]}")
        yield m
    finally:
        m.container.remove(force=True, v=True)
        client.close()


@pytest.fixture
def started(machine):
    machine.write(GOOD)
    machine.put_program()
    machine.run("systemctl", "reset-failed", "portico.service")  # of the test before; unknown in the first one
    machine.systemctl("start")
    wait_healthy(machine)
    return machine


def wait_healthy(machine):
    try:
        wait_until(lambda: machine.run(PROGRAM, "health", "--config", CONFIG)[0] == 0, "healthy")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{machine.run('systemctl', 'status', 'portico.service')[1]}\n{machine.log()[-4000:]}") from None


def answers(machine, port=80):
    """No task is there: 404 is an answer of ours."""
    connection = http.client.HTTPConnection(machine.address, port, timeout=60)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 404
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def test_a_reload_and_an_upgrade_keep_the_main_process_and_the_unit_active(started):
    m = started
    pid = m.show("MainPID")
    assert answers(m)
    m.write(GOOD.replace("workers: 1", "workers: 1, retries: 3"))
    m.systemctl("reload")
    wait_until(lambda: "configuration read again" in m.log(), "the reload")
    m.write("{broken")
    assert m.run("systemctl", "reload", "portico.service")[0] != 0
    assert m.show("ActiveState") == "active" and answers(m)
    m.write(GOOD.replace("workers: 1", "workers: 2").replace("}]", "}, { name: second, address: '0.0.0.0:81' }]"))
    m.put_program()
    assert m.run(PROGRAM, "upgrade", "--config", CONFIG) == (0, f"upgraded, process {pid}\n")
    assert answers(m) and answers(m, 81)
    m.systemctl("kill", "--kill-who=main", "-s", "USR2")
    wait_until(lambda: m.log().count("upgrade done") == 2, "an upgrade by signal")
    assert (m.show("MainPID"), m.show("ActiveState"), m.show("NRestarts")) == (pid, "active", "0")
    m.systemctl("stop")
    assert (m.show("ActiveState"), m.show("Result"), m.show("ExecMainStatus")) == ("inactive", "success", "0")


def test_a_supervisor_that_is_killed_is_started_again_and_a_restart_is_in_order(started):
    m = started
    pid = m.show("MainPID")
    m.systemctl("kill", "--kill-who=main", "-s", "KILL")
    wait_until(lambda: m.show("MainPID") not in (pid, "0"), "another one")
    wait_healthy(m)
    assert answers(m) and m.show("NRestarts") == "1"
    before = m.log().count("stopping: requests in progress")
    m.systemctl("restart")
    wait_healthy(m)
    wait_until(lambda: m.log().count("stopping: requests in progress") == before + 1, "it has stopped in order, and the journal has it")
    m.systemctl("stop")
    assert m.show("Result") == "success"


def test_a_refused_configuration_is_not_started_again_and_again(started):
    m = started
    m.systemctl("stop")
    m.write("{broken")
    m.run("systemctl", "start", "portico.service")
    wait_until(lambda: m.show("ActiveState") == "failed", "it has failed")
    assert (m.show("ExecMainStatus"), m.show("NRestarts")) == ("2", "0")
    wait_until(lambda: "portico.yaml:2:1" in m.log(), "the journal says where")

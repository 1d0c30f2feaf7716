"""What the process that reads the Internet has given up."""

import contextlib
import os
import pathlib
import pwd

import pytest

from conftest import SANITIZED, read_status, run_portico

ROOT_ONLY = pytest.mark.skipif(os.getuid() != 0, reason="only root changes accounts")


def threads(pid):
    return [int(name) for name in os.listdir(f"/proc/{pid}/task")]


@ROOT_ONLY
def test_every_thread_of_the_proxy_is_nobody_without_rights(portico):
    nobody = pwd.getpwnam("nobody")
    pid = portico.child("proxy")
    # 2 workers and the main thread at least
    assert len(threads(pid)) >= 3
    for tid in threads(pid):
        status = read_status(pid, tid)
        assert status["Uid"].split() == [str(nobody.pw_uid)] * 4
        assert status["Gid"].split() == [str(nobody.pw_gid)] * 4
        assert status["Groups"] == ""
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[name], 16) == 0, name
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"


@ROOT_ONLY
def test_the_proxy_holds_no_descriptor_of_a_file_or_of_the_engine(portico):
    """Its own pairs of Unix sockets are the two that lead to control and to the supervisor."""
    pid = portico.child("proxy")
    targets = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # a connection that has just been closed
            targets.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    inodes = {t[len("socket:[") : -1] for t in targets if t.startswith("socket:[")}
    rows = [line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]]
    unix = [row for row in rows if row[6] in inodes]
    assert all(len(row) == 7 for row in unix), "a Unix socket with a name"
    # libevent keeps a pair for signals
    assert len(unix) <= 4
    files = [t for t in targets if t.startswith("/") and not t.startswith(("/dev/null", "/memfd:"))]
    assert set(files) <= {str(portico.log_path)} | {"/dev/urandom"}


@ROOT_ONLY
def test_control_and_supervisor_are_not_in_it(portico):
    for pid in (portico.child("control"), portico.process.pid):
        assert read_status(pid)["Seccomp"] == "0"


def test_from_inside_nothing_is_possible(tmp_path):
    user = ["--user", "nobody"] if os.getuid() == 0 else []
    done = run_portico("jail-test", *user)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert lines["socket(AF_UNIX, SOCK_STREAM)"].startswith("refused")
    assert lines["socket(AF_UNIX, SOCK_DGRAM)"].startswith("refused")
    assert lines["socketpair(AF_UNIX)"].startswith("refused")
    assert lines["execve"].startswith("refused")
    assert len(lines) >= 20
    if not SANITIZED:
        assert all(text.startswith("refused") for text in lines.values())
    assert not os.path.exists("/tmp/portico-jail-test")


def test_the_test_can_fail():
    """Outside of the jail the same attempts are possible: python makes the socket that the jail refuses."""
    import socket

    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).close()


@ROOT_ONLY
def test_an_unknown_account_is_refused():
    done = run_portico("jail-test", "--user", "no-such-account")
    assert done.returncode == 1
    assert done.stderr == "portico jail-test: proxy.user: there is no account 'no-such-account'\n"


@ROOT_ONLY
def test_without_root_the_rest_is_done_all_the_same():
    nobody = pwd.getpwnam("nobody")
    # The build may lie where nobody cannot read: the program is opened before the change of account.
    from conftest import OUT

    fd = os.open(OUT / "portico", os.O_RDONLY)
    os.set_inheritable(fd, True)
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(write_end, 1)
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            os.execve(fd, ["portico", "jail-test", "--user", "somebody-else"], {})
        finally:
            os._exit(127)  # not a second pytest
    os.close(write_end)
    os.close(fd)
    with os.fdopen(read_end) as pipe:
        text = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert "socket(AF_UNIX, SOCK_STREAM): refused" in text

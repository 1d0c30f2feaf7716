"""Fifty upgrades in a row. The short form is tests/system/test_upgrade.py."""
import os
import threading

from conftest import get, wait_until
from faults import Legitimate
from proxy_fixtures import upstream  # noqa: F401 (fixture)
from upgrades import Download, Programs, WebSocket, streaming_task, upgrade

UPGRADES = int(os.environ.get("SOAK_UPGRADES", "50"))
RATE = 300


def break_something(p, programs, which):
    """A program that is none, one that fails its trial, a configuration that is bad, one whose proxy cannot start."""
    if which % 4 == 0:
        programs.put_text("not a program")
    elif which % 4 == 1:
        programs.put_text("#!/bin/sh\nexit 1\n")
    elif which % 4 == 2:
        p.write_config("{broken")
    else:
        p.config["proxy"]["accessLog"] = "/no/such/folder/access.log"
        p.write_config()


def mend(p, programs):
    p.config["proxy"].pop("accessLog", None)
    p.write_config()
    programs.put_good()


def test_fifty_upgrades_under_load_every_third_of_them_broken(make_portico, backend, upstream, tmp_path):  # noqa: F811
    over, p, programs = threading.Event(), make_portico(), Programs(tmp_path)
    p.program = programs.path
    up = upstream(streaming_task(over))
    stream = {"service": "stream", "address": f"127.0.0.1:{up.port}", "host": "ws.test", "path": "/"}
    p.write_endpoints([("web", backend.address), stream])
    p.start_and_wait()
    p.wait_serving()
    sockets, download = [WebSocket(p.port) for _ in range(20)], Download(p.port)
    outcomes, reports = [], []
    for i in range(UPGRADES):
        load = Legitimate(p.port, duration_s=2, rate=RATE)
        is_broken = i % 3 == 2
        if is_broken:
            break_something(p, programs, i // 3)
        p.config["proxy"]["workers"] = 1 + i % 3
        if "accessLog" not in p.config["proxy"] and not p.config_path.read_text().startswith("{broken"):
            p.write_config()
        code, said = upgrade(p)
        assert (code != 0) == is_broken, (i, code, said, p.log()[-3000:])
        mend(p, programs)
        outcomes.append(code)
        reports.append(load.result()["requests"])
        assert reports[-1]["failed"] == 0, (i, reports[-1])
        assert all(s.echoes(b"%d" % i) for s in sockets), i
    before = download.bytes
    wait_until(lambda: download.bytes > before, "the download goes on")
    over.set()
    download.join(60)
    assert download.is_whole
    assert get(p.port)[0] == 200
    print(f"{len(outcomes)} upgrades, {outcomes.count(0)} taken, {sum(r['ok'] for r in reports)} requests, 0 failed")

"""Who may do what by the endpoints file and by the admin API; labels are tried in tests/docker/test_label_trust.py."""

import http.client
import json
import pathlib
import re

from conftest import get, try_get, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEB = {"name": "web", "image": "never-pulled:1", "port": 80, "host": "www.test"}


def warning(p):
    return json.loads(p.admin("/readyz")[1])["warning"]


def texts(p):
    return [e["text"] for e in json.loads(p.admin("/v1/events")[1])["events"]]


def test_the_endpoints_file_may_answer_for_a_configured_service(make_portico, backend):
    p = make_portico(services=[WEB])
    p.write_endpoints([{"service": "web", "address": backend.address}])
    p.start_and_wait()
    wait_until(lambda: p.serves(host="www.test"), "the listed address answers")


def test_the_endpoints_file_takes_no_path_below_a_configured_host_unless_it_is_allowed(make_portico, backend):
    p = make_portico(services=[WEB])
    row = {"service": "other", "address": backend.address, "host": "www.test", "path": "/admin"}
    p.write_endpoints([row, {**row, "service": "free", "host": "other.test", "path": "/"}])
    p.start_and_wait()
    wait_until(lambda: p.serves(host="other.test"), "the other route is given")
    assert ("www.test", "/admin") not in p.routes()
    assert "allowTaskRoutes" in warning(p)
    assert any("www.test/admin" in text and "allowTaskRoutes" in text for text in texts(p))
    p.config["services"] = [{**WEB, "allowTaskRoutes": True}]
    p.write_config()
    p.send(1)
    wait_until(lambda: p.serves("/admin", "www.test"), "given now")


def test_the_endpoints_file_leads_neither_to_the_admin_api_nor_to_a_listener(make_portico, backend):
    p = make_portico()
    rows = [{"service": f"leak{i}", "address": address, "host": "leak.test", "path": f"/{i}"}
            for i, address in enumerate((f"127.0.0.1:{p.admin_port}", f"[::1]:{p.admin_port}", f"127.0.0.2:{p.port}"))]
    p.write_endpoints([*rows, ("web", backend.address)])
    p.start_and_wait()
    p.wait_serving()
    assert all(host != "leak.test" for host, _ in p.routes())
    assert p.metric("portico_tasks_refused") == 3
    assert "Portico itself listens there" in warning(p)
    for row in rows:
        assert p.log().count(f"endpoint {row['address']} of service") == 1
        assert any(row["address"] in text for text in texts(p)), "also what was read before there were events"


def test_the_admin_api_refuses_what_came_through_a_proxy(portico):
    for field in ("Via", "Forwarded", "X-Forwarded-For"):
        connection = http.client.HTTPConnection("127.0.0.1", portico.admin_port, timeout=30)
        connection.request("GET", "/v1/services", headers={field: "x"})
        answer = connection.getresponse()
        assert answer.status == 403 and b"proxy" in answer.read()
        connection.close()
    assert get(portico.admin_port, "/v1/services")[0] == 200


def test_healthz_answers_by_any_address_and_nothing_else_does(portico):
    assert try_get(portico.admin_port, "/healthz", host="192.0.2.7:9900") == 200
    assert try_get(portico.admin_port, "/healthz", host="evil.test") == 403
    assert try_get(portico.admin_port, "/readyz", host="192.0.2.7:9900") == 403


def test_every_row_of_the_trust_table_names_a_test_that_exists():
    table = (ROOT / "docs/threat-model.md").read_text().split("## Who may do what")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| who |")]
    assert len(rows) >= 20
    for row in rows:
        names = re.findall(r"`(tests/[\w/]+\.(?:py|c)) (\w+)`", row)
        assert names, f"no test: {row}"
        for path, name in names:
            assert re.search(rf"\b{name}\b", (ROOT / path).read_text()), f"{path} has no {name}"

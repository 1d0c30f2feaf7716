"""Task definitions over the admin API: registered for good, listed, deregistered and deleted."""

import http.client
import json
import socket
import threading

import pytest

from conftest import SLOWNESS, wait_until

WRITERS = 4
KILLS = 5


def definition(family="web", image="shop:1", **fields):
    return {"family": family, "containerDefinitions": [{"name": "app", "image": image, "memory": 64, **fields}]}


def call(portico, method, path, body=None, **headers):
    """(status, document, ETag)"""
    connection = http.client.HTTPConnection("127.0.0.1", portico.admin_port, timeout=30 * SLOWNESS)
    try:
        text = body if isinstance(body, (str, bytes)) or body is None else json.dumps(body)
        fields = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        connection.request(method, path, body=text, headers=fields)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None, answer.getheader("ETag")
    finally:
        connection.close()


def register(portico, document=None, query="", **headers):
    return call(portico, "POST", "/v1/taskDefinitions" + query, document or definition(), **headers)


def names(portico, query=""):
    status, answer, _ = call(portico, "GET", "/v1/taskDefinitions" + query)
    assert status == 200, answer
    return [row["name"] for row in answer["taskDefinitions"]]


def restart_control(portico):
    old = portico.child("control")
    portico.kill("control")
    portico.wait_for_new("control", old)
    portico.wait_serving()


def test_a_definition_is_registered_described_deregistered_and_deleted(portico):
    status, answer, etag = register(portico)
    assert status == 201 and answer["taskDefinition"]["revision"] == 1, answer
    status, answer, same = call(portico, "GET", "/v1/taskDefinitions/web")
    described = answer["taskDefinition"]
    assert (status, same) == (200, etag)
    assert described["family"] == "web" and described["status"] == "ACTIVE" and described["registeredBy"]
    assert described["containerDefinitions"] == definition()["containerDefinitions"]
    assert call(portico, "GET", "/v1/taskDefinitions/web", If_None_Match=etag)[0] == 304
    assert call(portico, "DELETE", "/v1/taskDefinitions/web:1")[0] == 409
    status, answer, newer = call(portico, "POST", "/v1/taskDefinitions/web:1/deregister")
    assert status == 200 and answer["taskDefinition"]["status"] == "INACTIVE" and newer != etag
    assert call(portico, "GET", "/v1/taskDefinitions/web")[0] == 404
    for other in etag, '"0"', "7":  # of before; that nothing has; without its quotes
        assert call(portico, "DELETE", "/v1/taskDefinitions/web:1", If_Match=other)[0] == 412
    assert call(portico, "DELETE", "/v1/taskDefinitions/web:1", If_Match=newer)[0] == 200
    assert call(portico, "GET", "/v1/taskDefinitions/web:1")[0] == 404


def test_what_is_answered_has_the_tags_and_can_be_registered_again(portico):
    tags = [{"key": "team", "value": "shop"}]
    document = {"taskDefinition": definition() | {"taskRoleArn": "arn:aws:iam::1:role/web"}, "tags": tags}
    assert register(portico, document)[0] == 201
    answer = call(portico, "GET", "/v1/taskDefinitions/web:1")[1]
    assert answer["taskDefinition"]["tags"] == tags and answer["taskDefinition"]["ignored"], answer
    status, again, _ = register(portico, answer)
    assert status == 201 and again["taskDefinition"]["tags"] == tags, again


def test_not_modified_says_nothing_of_a_body(portico):
    _, _, etag = register(portico)
    with socket.create_connection(("127.0.0.1", portico.admin_port), timeout=30 * SLOWNESS) as stream:
        stream.sendall(
            f"GET /v1/taskDefinitions/web HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {etag}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: stream.recv(65536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    fields = {line.split(":")[0].lower() for line in head.split("\r\n")[1:]}
    assert head.startswith("HTTP/1.1 304 ") and body == ""
    assert "etag" in fields and not fields & {"content-length", "content-type"}, head


def test_a_revision_is_never_given_twice(portico):
    assert register(portico)[1]["taskDefinition"]["revision"] == 1
    assert register(portico)[1]["taskDefinition"]["revision"] == 2
    for revision in 1, 2:
        assert call(portico, "POST", f"/v1/taskDefinitions/web:{revision}/deregister")[0] == 200
        assert call(portico, "DELETE", f"/v1/taskDefinitions/web:{revision}")[0] == 200
    restart_control(portico)
    assert register(portico)[1]["taskDefinition"]["revision"] == 3
    assert names(portico) == ["web:3"]


def test_a_list_comes_in_pages_and_by_family_and_status(portico):
    for family in "web", "api", "api":
        register(portico, definition(family))
    call(portico, "POST", "/v1/taskDefinitions/api:1/deregister")
    assert names(portico) == ["api:2", "web:1"]
    assert names(portico, "?family=api&status=ALL") == ["api:1", "api:2"]
    assert names(portico, "?status=INACTIVE") == ["api:1"]
    seen, after = [], ""
    while after is not None:
        status, page, _ = call(portico, "GET", f"/v1/taskDefinitions?status=ALL&limit=1{after and '&after=' + after}")
        assert status == 200
        seen += [row["name"] for row in page["taskDefinitions"]]
        after = page["nextAfter"]
    assert seen == ["api:1", "api:2", "web:1"]


def test_a_trial_says_what_would_be_and_changes_nothing(portico):
    status, answer, _ = register(portico, query="?dryRun=true")
    assert (status, answer) == (200, {"dryRun": True, "name": "web:1"})
    assert names(portico, "?status=ALL") == []
    assert register(portico, {"family": "web"}, query="?dryRun=true")[0] == 400


def test_the_same_key_registers_once_also_after_a_restart(portico):
    assert register(portico, Idempotency_Key="deploy-7")[0] == 201
    restart_control(portico)
    status, answer, _ = register(portico, Idempotency_Key="deploy-7")
    assert status == 200 and answer["taskDefinition"]["revision"] == 1
    assert register(portico, definition(image="shop:2"), Idempotency_Key="deploy-7")[0] == 409
    assert names(portico) == ["web:1"]


@pytest.mark.parametrize(
    "method, path, body, field",
    [
        ("POST", "/v1/taskDefinitions", {"family": "web"}, "containerDefinitions"),
        ("POST", "/v1/taskDefinitions", definition(memory="much"), "containerDefinitions[0].memory"),
        ("POST", "/v1/taskDefinitions", "[" * 100000, None),
        ("POST", "/v1/taskDefinitions", "[]", None),
        ("POST", "/v1/taskDefinitions", '{"family": "a", "family": "b"}', None),
        ("POST", "/v1/taskDefinitions", b'{"family": "\xff"}', None),
        ("POST", "/v1/taskDefinitions?dryRun=perhaps", definition(), "dryRun"),
        ("POST", "/v1/taskDefinitions?dryRun=true&dryRun=true", definition(), "dryRun"),
        ("POST", "/v1/taskDefinitions?force=true", definition(), None),
        ("GET", "/v1/taskDefinitions?limit=1001", None, "limit"),
        ("GET", "/v1/taskDefinitions?limit=", None, "limit"),
        ("GET", "/v1/taskDefinitions?after=web", None, "after"),
        ("GET", "/v1/taskDefinitions?status=DEAD", None, "status"),
        ("GET", "/v1/taskDefinitions/web?limit=1", None, None),
    ],
)
def test_what_is_wrong_is_refused_with_its_field_and_changes_nothing(portico, method, path, body, field):
    status, answer, _ = call(portico, method, path, body)
    assert status == 400, answer
    assert answer["error"].get("field") == field and answer["error"]["message"]
    assert names(portico, "?status=ALL") == []


class Writer(threading.Thread):
    """Registers again and again; keeps what was acknowledged."""

    def __init__(self, portico, family):
        super().__init__(daemon=True)
        self.portico, self.family, self.acknowledged, self.is_ending = portico, family, [], False

    def run(self):
        while not self.is_ending:
            try:
                status, answer, _ = register(self.portico, definition(self.family))
            except (OSError, http.client.HTTPException):
                continue  # control is gone
            if status == 201:
                self.acknowledged.append(f"{self.family}:{answer['taskDefinition']['revision']}")


def test_what_was_acknowledged_is_there_after_control_was_killed(portico):
    writers = [Writer(portico, f"family-{i}") for i in range(WRITERS)]
    for writer in writers:
        writer.start()
    for _ in range(KILLS):
        before = sum(len(w.acknowledged) for w in writers)
        wait_until(lambda: sum(len(w.acknowledged) for w in writers) > before + 10, "registrations")
        old = portico.child("control")
        portico.kill("control")
        portico.wait_for_new("control", old)
    for writer in writers:
        writer.is_ending = True
    for writer in writers:
        writer.join(60 * SLOWNESS)
        assert not writer.is_alive()
    portico.wait_serving()
    for writer in writers:
        found = set()
        after = ""
        while after is not None:
            _, page, _ = call(portico, "GET", f"/v1/taskDefinitions?family={writer.family}&limit=1000{after and '&after=' + after}")
            found |= {row["name"] for row in page["taskDefinitions"]}
            after = page["nextAfter"]
        assert len(set(writer.acknowledged)) == len(writer.acknowledged)
        assert set(writer.acknowledged) <= found

"""curl does through the proxy what it does without one."""
import email
import hashlib
import os
import select
import subprocess

import pytest

from proxy_alone import fields
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)
from real_programs import DEADLINE_S, environment, nginx, require, run  # noqa: F401 (fixtures)

MIB = 1 << 20


def curl(*arguments, **options):
    """(stdout, stderr); it must succeed."""
    code, out, err = run(require("curl", "curl"), "-q", "-sS", "--max-time", DEADLINE_S, *arguments, **options)
    assert code == 0, err.decode(errors="replace")
    return out, err.decode(errors="replace")


def written(out):
    """Of --write-out '%{a} %{b}': the words."""
    return out.decode().split()


def take_body(peer, head):
    """(length, digest) of a body of any framing, read in large pieces: bodies here are too large to be collected."""
    found = fields(head)
    digest, length = hashlib.sha256(), 0
    if "transfer-encoding" in found:
        body = peer.take_chunked()
        return len(body), hashlib.sha256(body).hexdigest()
    left = int(found.get("content-length", ["0"])[0])
    piece, peer.data = peer.data, b""
    while left:
        if not piece:
            piece = peer.sock.recv(min(left, MIB))
            if not piece:
                raise EOFError("body ended early")
        digest.update(piece)
        length += len(piece)
        left -= len(piece)
        piece = b""
    return length, digest.hexdigest()


def random_file(path, size):
    content = os.urandom(min(size, MIB)) * (size // min(size, MIB))
    path.write_bytes(content)
    return content


@pytest.fixture
def served(nginx, proxy):
    """(nginx, URL through the proxy)"""
    n = nginx("location /dav/ { dav_methods PUT DELETE MKCOL; create_full_put_path on; }\n"
              "location /small/ { dav_methods PUT; client_max_body_size 1m; }\n"
              "location /gz/ { gzip on; gzip_http_version 1.0; gzip_proxied any; gzip_types text/plain; gzip_min_length 1; }")
    return n, f"http://127.0.0.1:{proxy([n.port]).port}"


def test_get_and_head(served, tmp_path):
    n, url = served
    content = random_file(n.www / "file", 3 * MIB)
    out, _ = curl("-D", tmp_path / "get", f"{url}/file")
    assert out == content
    head, _ = curl("-I", f"{url}/file")
    got, asked = fields((tmp_path / "get").read_bytes()), fields(head)
    for name in ("content-length", "etag", "last-modified", "accept-ranges"):
        assert got[name] == asked[name], name
    assert asked["content-length"] == [str(len(content))]


def test_a_second_request_with_the_etag_is_304(served, tmp_path):
    n, url = served
    random_file(n.www / "file", MIB)
    curl("--etag-save", tmp_path / "etag", "-o", os.devnull, f"{url}/file")
    out, _ = curl("--etag-compare", tmp_path / "etag", "-o", os.devnull, "-w", "%{http_code} %{size_download}", f"{url}/file")
    assert written(out) == ["304", "0"]


@pytest.mark.parametrize("ranges", ["1000-1999", "-500", "2097152-", "0-0"])
def test_ranges(served, ranges):
    n, url = served
    content = random_file(n.www / "file", 3 * MIB)
    out, err = curl("-v", "-r", ranges, f"{url}/file")
    first, last = ranges.split("-")
    expected = content[-int(last):] if not first else content[int(first):int(last) + 1 if last else None]
    assert out == expected and "< HTTP/1.1 206" in err


def test_several_ranges_and_one_that_cannot_be_had(served):
    n, url = served
    content = random_file(n.www / "file", MIB)
    out, _ = curl("-r", "0-9,500-509", f"{url}/file")
    assert content[:10] in out and content[500:510] in out and b"Content-Range: bytes 500-509/1048576" in out
    out, _ = curl("-r", "5000000-", "-o", os.devnull, "-w", "%{http_code}", f"{url}/file")
    assert written(out) == ["416"]


def test_a_download_is_resumed(served, tmp_path):
    n, url = served
    content = random_file(n.www / "file", 10 * MIB)
    partial = tmp_path / "partial"
    partial.write_bytes(content[:4_000_001])
    out, _ = curl("-C", "-", "-o", partial, "-w", "%{http_code} %{size_download}", f"{url}/file")
    assert written(out) == ["206", str(10 * MIB - 4_000_001)]
    assert partial.read_bytes() == content


def test_one_connection_serves_three_urls(served):
    n, url = served
    content = random_file(n.www / "file", MIB)
    out, err = curl("-v", *[f"{url}/file?{i}" for i in range(3)])
    assert out == content * 3
    assert err.count("Re-using existing connection") == 2 and err.count("Connected to") == 1


def test_http_1_0(served):
    n, url = served
    content = random_file(n.www / "file", 3 * MIB)
    out, err = curl("-v", "--http1.0", f"{url}/file")
    assert out == content
    assert "> GET /file HTTP/1.0" in err


def test_a_compressed_response_of_unknown_length(served):
    n, url = served
    (n.www / "gz").mkdir()
    text = b"".join(b"line %d\n" % i for i in range(100_000))
    (n.www / "gz" / "text.txt").write_bytes(text)
    for version in ("--http1.1", "--http1.0"):
        out, err = curl("-v", version, "--compressed", f"{url}/gz/text.txt")
        assert out == text
        assert "< Content-Encoding: gzip" in err
        assert ("chunked" in err) == (version == "--http1.1")


def test_an_offer_of_http_2_is_answered_in_1_1(served):
    n, url = served
    content = random_file(n.www / "file", MIB)
    out, err = curl("-v", "--http2", f"{url}/file", f"{url}/file")
    assert out == content * 2
    assert "> Upgrade: h2c" in err and err.count("< HTTP/1.1 200") == 2


def test_upload_of_known_and_of_unknown_length(served):
    n, url = served
    content = random_file(n.www / "source", 20 * MIB)
    curl("-T", n.www / "source", f"{url}/dav/known")
    assert (n.www / "dav" / "known").read_bytes() == content
    _, err = curl("-v", "-T", "-", f"{url}/dav/unknown", input=content)
    assert "> Transfer-Encoding: chunked" in err
    assert (n.www / "dav" / "unknown").read_bytes() == content
    out, _ = curl("-X", "DELETE", "-w", "%{http_code}", f"{url}/dav/known")
    assert written(out) == ["204"]


def test_a_multipart_form(proxy, upstream, tmp_path):
    seen = []

    def take_form(peer, up):
        head = peer.take_head()
        kind = fields(head)["content-type"][0]
        if "expect" in fields(head):
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = peer.take(int(fields(head)["content-length"][0]))
        seen.append(email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body))
        peer.send(b"HTTP/1.1 303 See Other\r\nLocation: /done\r\nContent-Length: 0\r\n\r\n")

    content = random_file(tmp_path / "file.bin", 2 * MIB)
    p = proxy([upstream(take_form).port])
    out, _ = curl("-F", "name=J\u00e4ger & Co", "-F", f"upload=@{tmp_path}/file.bin;type=application/x-thing", "-w",
                  "%{http_code} %{redirect_url}", f"http://127.0.0.1:{p.port}/form")
    assert written(out) == ["303", f"http://127.0.0.1:{p.port}/done"]
    name, upload = seen[0].get_payload()
    assert name.get_payload(decode=True).decode() == "J\u00e4ger & Co"
    assert upload.get_filename() == "file.bin" and upload.get_content_type() == "application/x-thing"
    assert upload.get_payload(decode=True) == content


# ---- Expect: 100-continue. curl waits longer than the test may take: it never sends the body without an answer.

PATIENT = ("-v", "--expect100-timeout", DEADLINE_S + 60)


def test_an_upload_waits_for_the_backends_100(proxy, upstream, tmp_path):
    seen = []

    def go_on(peer, up):
        head = peer.take_head()
        up.record(head)
        has_body = bool(peer.data) or bool(select.select([peer.sock], [], [], 0)[0])
        peer.send(b"HTTP/1.1 100 Continue\r\nX-Says: backend\r\n\r\n")
        seen.append((has_body, *take_body(peer, head)))
        peer.send(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    content = random_file(tmp_path / "file", 100 * MIB)
    up = upstream(go_on)
    p = proxy([up.port])
    _, err = curl(*PATIENT, "-T", tmp_path / "file", f"http://127.0.0.1:{p.port}/upload")
    assert fields(up.heads[0])["expect"] == ["100-continue"]
    assert seen == [(False, len(content), hashlib.sha256(content).hexdigest())]
    # exactly one 100, and it is the backend's
    assert err.count("< HTTP/1.1 100 Continue") == 1 and err.count("< X-Says: backend") == 1
    assert err.count("< HTTP/1.1 201") == 1


@pytest.mark.parametrize("closes", [b"Connection: close\r\n", b""])
def test_an_upload_that_the_backend_refuses_is_never_sent(proxy, upstream, tmp_path, closes):
    seen = []

    def refuse(peer, up):
        up.record(peer.take_head())
        peer.send(b"HTTP/1.1 413 Content Too Large\r\n" + closes + b"Content-Length: 4\r\n\r\nbig\n")
        peer.sock.shutdown(1) if closes else None
        rest = peer.take_rest()
        with up.changed:
            seen.append(rest)
            up.changed.notify_all()

    random_file(tmp_path / "file", 100 * MIB)
    up = upstream(refuse)
    p = proxy([up.port])
    out, err = curl(*PATIENT, "-T", tmp_path / "file", "-w", "%{http_code} %{size_upload}", f"http://127.0.0.1:{p.port}/upload")
    assert written(out) == ["big", "413", "0"], err
    up.wait_for(lambda u: u.heads)
    p.stop()
    up.wait_for(lambda u: seen)
    assert seen == [b""] and len(up.heads) == 1


@pytest.mark.parametrize("expectation, most", [("Expect: 100-continue", 0), ("Expect:", 100 * MIB - 1)])
def test_an_upload_that_nginx_finds_too_large(served, tmp_path, expectation, most):
    """It answers with the head alone. A client that did not ask first gets that answer while it still sends, and stops."""
    _, url = served
    random_file(tmp_path / "file", 100 * MIB)
    out, err = curl(*PATIENT, "-T", tmp_path / "file", "-H", expectation, "-o", os.devnull, "-w", "%{http_code} %{size_upload}",
                    f"{url}/small/file")
    code, sent = written(out)
    assert code == "413", err
    assert int(sent) <= most


def test_an_expectation_that_the_backend_does_not_know_costs_nothing_but_asking_again(proxy, upstream, tmp_path):
    """The connection is closed with the 417: whether a body would still follow on it is for nobody to guess."""
    seen = []

    def reject_expectations(peer, up):
        while head := peer.take_head():
            up.record(head)
            if "expect" in fields(head):
                peer.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
                return
            seen.append(take_body(peer, head))
            peer.send(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    content = random_file(tmp_path / "file", 20 * MIB)
    url = f"http://127.0.0.1:{proxy([upstream(reject_expectations).port]).port}/upload"
    answer = ("-T", tmp_path / "file", "-w", "%{http_code} %{size_upload}")
    out, err = curl(*PATIENT, *answer, url)
    assert written(out) == ["417", "0"], err
    out, err = curl(*PATIENT, *answer, "-H", "Expect:", url)
    assert written(out) == ["201", str(len(content))], err
    assert seen == [(len(content), hashlib.sha256(content).hexdigest())]


# ---- streams

def test_trailers_of_a_response_reach_the_client(proxy, upstream):
    def with_trailer(peer, up):
        up.record(peer.take_head())
        peer.send(b"HTTP/1.1 200 OK\r\nTrailer: X-Checksum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
                  b"X-Checksum: 907d14fb\r\n\r\n")

    p = proxy([upstream(with_trailer).port])
    out, _ = curl("-i", "-H", "TE: trailers", "-H", "Connection: TE", f"http://127.0.0.1:{p.port}/")
    rest = out.partition(b"\r\n\r\n")[2]
    assert b"hello" in rest and b"X-Checksum: 907d14fb\r\n" in rest


def test_server_sent_events_arrive_one_by_one(proxy, upstream):
    """Each event is sent only after the one before has been read."""
    read = []

    def send_events(peer, up):
        up.record(peer.take_head())
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(100):
            up.wait_for(lambda u: len(read) == i)
            event = b"id: %d\ndata: event %d\n\n" % (i, i)
            peer.send(b"%x\r\n%s\r\n" % (len(event), event))
        peer.send(b"0\r\n\r\n")

    up = upstream(send_events)
    p = proxy([up.port])
    command = [require("curl", "curl"), "-q", "-sS", "-N", "--max-time", str(DEADLINE_S), f"http://127.0.0.1:{p.port}/events"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as c:
        for i in range(100):
            assert [c.stdout.readline() for _ in range(3)] == [b"id: %d\n" % i, b"data: event %d\n" % i, b"\n"]
            with up.changed:
                read.append(i)
                up.changed.notify_all()
        assert c.stdout.read() == b"" and c.wait(DEADLINE_S) == 0

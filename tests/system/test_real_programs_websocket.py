"""Debian's python3-websockets on both ends."""
import asyncio
import http
import random

import pytest

from proxy_alone import status
from proxy_fixtures import proxy, upstream  # noqa: F401 (fixtures)
from real_programs import DEADLINE_S

websockets = pytest.importorskip("websockets", reason="websockets is not installed (Debian package python3-websockets)")

MESSAGES = 10_000
LARGEST = 128 * 1024
PATIENT = {"close_timeout": DEADLINE_S, "ping_interval": None}  # no end gives up on a slow one; a server waits for the start
PATIENT_CLIENT = {"open_timeout": DEADLINE_S, **PATIENT}
EDGES = (0, 1, 125, 126, 127, 4095, 4096, 65535, 65536, 65537, LARGEST)  # where the framing, or a buffer, changes


def message_sizes(count):
    """The edges, then anything between, small ones as often as large ones."""
    chance = random.Random(7)
    return [*EDGES, *(int(LARGEST ** chance.random()) for _ in range(count - len(EDGES)))]


async def echo(socket):
    async for message in socket:
        await socket.send(message)


def converse(proxy, client, serve_client=echo, **options):
    """Serves with `serve_client`, and runs client(url) to its end against the proxy in front."""
    async def both():
        async with websockets.serve(serve_client, "127.0.0.1", 0, **PATIENT, **options) as server:
            p = proxy([server.sockets[0].getsockname()[1]])
            return await asyncio.wait_for(client(f"ws://127.0.0.1:{p.port}/socket"), DEADLINE_S)

    return asyncio.run(both())


def test_ten_thousand_messages_come_back(proxy):
    content = random.Random(8).randbytes(LARGEST)

    async def client(url):
        async with websockets.connect(url, compression=None, **PATIENT_CLIENT) as socket:
            async def send():
                for i, size in enumerate(sizes):
                    await socket.send(content[:size] if i % 2 else "x" * size)

            sending = asyncio.ensure_future(send())
            for i, size in enumerate(sizes):
                got = await socket.recv()
                assert got == (content[:size] if i % 2 else "x" * size), i
            await sending

    sizes = message_sizes(MESSAGES)
    converse(proxy, client, compression=None)


def test_compressed_messages_come_back(proxy):
    async def client(url):
        async with websockets.connect(url, **PATIENT_CLIENT) as socket:
            assert "permessage-deflate" in socket.response_headers["Sec-WebSocket-Extensions"]
            for size in message_sizes(100):
                await socket.send("x" * size)
                assert await socket.recv() == "x" * size

    converse(proxy, client)


def test_a_message_in_fragments_that_wait_for_each_other(proxy):
    """Each fragment is sent only when the one before has been seen at the other end."""
    async def one_by_one(socket):
        async for message in socket:
            await socket.send(str(len(message)))

    async def client(url):
        async with websockets.connect(url, **PATIENT_CLIENT) as socket:
            async def fragments():
                for i in range(20):
                    yield bytes(i * 1000)
                    await (await socket.ping())

            await socket.send(fragments())
            assert await socket.recv() == str(sum(i * 1000 for i in range(20)))

    converse(proxy, client, one_by_one)


def test_pings_of_both_sides_are_answered(proxy):
    async def ping_too(socket):
        for _ in range(100):
            await (await socket.ping())
        await socket.send("enough")
        await socket.wait_closed()

    async def client(url):
        async with websockets.connect(url, **PATIENT_CLIENT) as socket:
            receiving = asyncio.ensure_future(socket.recv())
            for _ in range(100):
                await (await socket.ping())
            assert await receiving == "enough"

    converse(proxy, client, ping_too)


@pytest.mark.parametrize("code, reason", [(1000, ""), (1012, "restarting"), (4001, "so long")])
def test_the_servers_close_code_reaches_the_client(proxy, code, reason):
    async def hang_up(socket):
        await socket.close(code, reason)

    async def client(url):
        async with websockets.connect(url, **PATIENT_CLIENT) as socket:
            with pytest.raises(websockets.ConnectionClosed) as raised:
                await socket.recv()
            assert (raised.value.code, raised.value.reason) == (code, reason)

    converse(proxy, client, hang_up)


def test_the_clients_close_code_reaches_the_server(proxy):
    seen = None

    async def wait_for_close(socket):
        await socket.wait_closed()
        seen.put_nowait((socket.close_code, socket.close_reason))

    async def client(url):
        nonlocal seen
        seen = asyncio.Queue()
        async with websockets.connect(url, **PATIENT_CLIENT) as socket:
            await socket.close(4002, "done")
        assert await seen.get() == (4002, "done")

    converse(proxy, client, wait_for_close)


@pytest.mark.parametrize("ends", ["client", "server"])
def test_an_end_that_drops_the_connection_is_noticed_by_the_other(proxy, ends):
    seen = None

    async def serve(socket):
        if ends == "server":
            socket.transport.abort()
        await socket.wait_closed()
        seen.put_nowait(socket.close_code)

    async def client(url):
        nonlocal seen
        seen = asyncio.Queue()
        async with websockets.connect(url, **PATIENT_CLIENT) as socket:
            if ends == "client":
                socket.transport.abort()
            await socket.wait_closed()
            assert socket.close_code == 1006
        assert await seen.get() == 1006

    converse(proxy, client, serve)


def test_a_refused_upgrade_is_an_ordinary_answer(proxy):
    async def refuse(path, headers):
        return http.HTTPStatus.FORBIDDEN, [("X-Why", "no ticket")], b"not you\n"

    async def client(url):
        with pytest.raises(websockets.InvalidStatusCode) as raised:
            await websockets.connect(url, **PATIENT_CLIENT)
        assert raised.value.status_code == 403 and raised.value.headers["X-Why"] == "no ticket"

    converse(proxy, client, process_request=refuse)


def test_what_the_two_agreed_on_at_the_start_is_kept(proxy):
    async def client(url):
        headers = {"X-Asked": "1"}
        async with websockets.connect(url, subprotocols=["chat.v2", "chat.v1"], extra_headers=headers,
                                      origin="http://example.com", **PATIENT_CLIENT) as socket:
            assert socket.subprotocol == "chat.v1"
            assert socket.response_headers["X-Answered"] == "2"
            assert await socket.recv() == "1 http://example.com"

    async def tell(socket):
        await socket.send(f"{socket.request_headers['X-Asked']} {socket.origin}")

    converse(proxy, client, tell, subprotocols=["chat.v1"], extra_headers={"X-Answered": "2"})


def test_many_sockets_at_once(proxy):
    async def client(url):
        async def one(i):
            async with websockets.connect(url, **PATIENT_CLIENT) as socket:
                for n in range(20):
                    await socket.send(f"{i} {n}")
                    assert await socket.recv() == f"{i} {n}"

        await asyncio.gather(*(one(i) for i in range(100)))

    converse(proxy, client)


def test_a_server_that_speaks_first_and_with_the_101_is_heard(proxy, upstream):
    """What comes in one piece with the response head belongs to the other protocol."""
    def talk(peer, up):
        up.record(peer.take_head())
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: line\r\nConnection: Upgrade\r\n\r\nhello\n")
        peer.send(b"got " + peer.take(5))

    peer = proxy([upstream(talk).port]).connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: line\r\nConnection: Upgrade\r\n\r\n")
    assert status(peer.take_head()) == 101
    assert peer.take(6) == b"hello\n"
    peer.send(b"12345")
    assert peer.take_rest() == b"got 12345"

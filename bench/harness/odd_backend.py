#!/usr/bin/python3
"""A backend with a fault or a name, for what the fast one is not told for itself: --fail-every N answers 500 to each Nth
request, --name NAME is its X-Task. GET only; /health is always 200."""
import argparse
import asyncio


class Connection(asyncio.Protocol):
    options = None
    answered = 0  # of all connections

    def connection_made(self, transport):
        self.transport, self.data = transport, b""

    def data_received(self, data):
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, _, self.data = self.data.partition(b"\r\n\r\n")
            self._answer(head)
        if len(self.data) > 65536:
            self.transport.close()

    def _answer(self, head):
        is_health = head.split(b" ", 2)[1:2] == [b"/health"]
        wants_close = b"\r\nconnection: close" in head.lower()
        Connection.answered += not is_health
        fails = not is_health and self.options.fail_every and Connection.answered % self.options.fail_every == 0
        status = "500 Server Error" if fails else "200 OK"
        body = f"{self.options.name:<65}\n"
        self.transport.write(f"HTTP/1.1 {status}\r\nX-Task: {self.options.name}\r\nContent-Type: text/plain\r\n"
                             f"Content-Length: {len(body)}\r\n{'Connection: close' + chr(13) + chr(10) if wants_close else ''}"
                             f"\r\n{body}".encode())
        if wants_close:
            self.transport.close()


async def serve(options):
    Connection.options = options
    server = await asyncio.get_running_loop().create_server(Connection, options.address, options.port, backlog=1024)
    await server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--fail-every", type=int, default=0)
    parser.add_argument("--name", default="odd")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()

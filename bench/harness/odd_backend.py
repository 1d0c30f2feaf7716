#!/usr/bin/python3
"""A backend with a fault or a name, for what the fast one is not told for itself: --fail-every N answers 500 to each Nth
request, --name NAME is its X-Task. GET only; /health and /echo (the request's fields as JSON) are always 200."""
import argparse
import asyncio
import json


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
        lines = head.decode("latin-1").split("\r\n")
        path = lines[0].split(" ")[1] if " " in lines[0] else ""
        fields = [[name, value.strip()] for name, _, value in (line.partition(":") for line in lines[1:])]
        wants_close = ["connection", "close"] in [[name.lower(), value.lower()] for name, value in fields]
        is_counted = path not in ("/health", "/echo")
        Connection.answered += is_counted
        fails = is_counted and self.options.fail_every and Connection.answered % self.options.fail_every == 0
        status = "500 Server Error" if fails else "200 OK"
        body = json.dumps({"headers": fields}) if path == "/echo" else f"{self.options.name:<65}\n"
        close = "Connection: close\r\n" if wants_close else ""
        self.transport.write(f"HTTP/1.1 {status}\r\nX-Task: {self.options.name}\r\nContent-Type: text/plain\r\n"
                             f"Content-Length: {len(body)}\r\n{close}\r\n{body}".encode("latin-1"))
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

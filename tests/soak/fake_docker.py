"""A Docker Engine's API on a Unix socket, of containers that are nothing but a few words: for what a real engine cannot be made
to do. Their addresses are 127.1.x.y, where whoever listens on all addresses of a port answers for all of them."""
import http.server
import json
import os
import re
import socketserver
import threading
import urllib.parse


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        """Whoever asked has given up, which is what the tests are about."""


class FakeDocker:
    def __init__(self, path):
        self.path = str(path)
        self.containers, self.streams, self.texts = {}, [], {}
        self.hanging = {}  # "stop" or id of an inspected container -> how many hang there
        self.lock, self.end = threading.Lock(), threading.Event()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def address_string(self):
                return "-"

            def log_message(self, *_):
                pass

            def do_GET(self):
                fake.handle(self, "GET")

            def do_POST(self):
                fake.handle(self, "POST")

            def do_DELETE(self):
                fake.handle(self, "DELETE")

        self.server = Server(self.path, Handler)
        os.chmod(self.path, 0o666)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.end.set()
        self.server.shutdown()
        self.server.server_close()

    def add(self, labels, name=None, state="running"):
        with self.lock:
            number = len(self.containers) + 1
            one = {"Id": f"{number:064x}", "Name": name or f"c{number}", "Labels": labels, "State": state,
                   "Address": f"127.1.{number // 250}.{number % 250 + 1}"}
            self.containers[one["Id"]] = one
        return one

    def emit(self, one, action, **attributes):
        event = {"Type": "container", "Action": action, "timeNano": 1, "Actor": {"ID": one["Id"], "Attributes": {**one["Labels"], **attributes}}}
        line = json.dumps(event).encode() + b"\n"
        for stream in list(self.streams):
            stream.write(b"%x\r\n%s\r\n" % (len(line), line))
            stream.flush()

    def start(self, one):
        one["State"] = "running"
        self.emit(one, "start")

    def die(self, one):
        one["State"] = "exited"
        self.emit(one, "die", exitCode="1")

    def hang(self, where):
        self.hanging[where] = self.hanging.get(where, 0) + 1
        self.end.wait()

    # ---- answers ----

    def handle(self, request, method):
        length = int(request.headers.get("Content-Length") or 0)
        body = json.loads(request.rfile.read(length)) if length else {}
        url = urllib.parse.urlsplit(request.path)
        query = urllib.parse.parse_qs(url.query)
        path = re.sub(r"^/v[0-9.]+", "", url.path)
        if path == "/events":
            return self.stream(request)
        status, answer = self.answer(method, path, query, body)
        text = answer if isinstance(answer, bytes) else json.dumps(answer).encode() if answer is not None else b""
        request.send_response(status)
        request.send_header("Api-Version", "1.41")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def stream(self, request):
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        self.streams.append(request.wfile)
        self.end.wait()

    def answer(self, method, path, query, body):
        if path == "/_ping":
            return 200, "OK"
        if path == "/containers/json":
            label = json.loads(query["filters"][0])["label"][0]
            listed = [self.text_of(one, one) for one in list(self.containers.values()) if has_label(one, label)]
            return 200, b"[" + b",".join(listed) + b"]"
        if path == "/containers/create":
            one = self.add(body["Labels"], query["name"][0], "created")
            self.emit(one, "create")
            return 201, {"Id": one["Id"], "Warnings": []}
        if path.startswith("/images/"):
            return 200, {"Id": "sha256:" + "0" * 64, "Config": {"ExposedPorts": {}}}
        found = re.fullmatch(r"/containers/([^/]+)(?:/(\w+))?", path)
        one = self.containers.get(found[1]) if found else None
        if not one:
            return 404, {"message": "no such thing"}
        return self.answer_of(one, method, found[2])

    def text_of(self, one, answer):
        """The long labels of strangers are written once: whoever measures Portico does not want to measure this."""
        key = one["Id"], one["State"], answer is one
        if key not in self.texts:
            self.texts[key] = json.dumps(answer).encode()
        return self.texts[key]

    def answer_of(self, one, method, verb):
        if method == "GET" and verb == "json":
            if one["Labels"].get("hangs"):
                self.hang(one["Id"])
            return 200, self.text_of(one, inspected(one))
        if verb == "start":
            self.start(one)
        elif verb == "stop":
            self.emit(one, "kill", signal="15")
            self.hang("stop")
        elif method == "DELETE":
            del self.containers[one["Id"]]
            self.emit(one, "destroy")
        return 204, None


def has_label(one, label):
    name, _, value = label.partition("=")
    return name in one["Labels"] and value in ("", one["Labels"][name])


def inspected(one):
    return {"Id": one["Id"], "Name": "/" + one["Name"], "Created": "2026-01-01T00:00:00Z",
            "State": {"Status": one["State"], "ExitCode": 0, "StartedAt": "2026-01-01T00:00:00Z"},
            "Config": {"Labels": one["Labels"], "StopTimeout": 600}, "HostConfig": {"NetworkMode": "bridge", "RestartPolicy": {"Name": "no"}},
            "NetworkSettings": {"Ports": {}, "Networks": {"bridge": {
                "IPAddress": one["Address"] if one["State"] == "running" else "", "Gateway": "127.1.0.1"}}}}

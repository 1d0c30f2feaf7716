"""What Chromium loads: a page with a hundred sub-resources, an EventSource and a WebSocket, which reports with a POST what it
saw; and the server of the part that is no file."""
import http.server
import json
import queue
import threading

RESOURCES = 100
EVENTS = 20
MESSAGES = 50
TARGETS = ["/report[1].txt", "/100%", "/a|b", "/?p=C:\\x", "/%C3%B6{1}", "/@scope%2fname", "/?q=\"<a>^`"]

PAGE = """<!doctype html>
<html><head><title>page</title><link rel="icon" href="data:,">
<script>
const failed = [], task = new URLSearchParams(location.search).get('task');
window.loaded = 0;
addEventListener('error', e => failed.push(String(e.message || e.target.src || e.target.href)), true);
addEventListener('unhandledrejection', e => { report({error: String(e.reason)}); });
const report = what => fetch('/api/report', {method: 'POST', body: JSON.stringify({...what, failed})});

function resources() {
    const style = getComputedStyle(document.documentElement);
    const properties = [...Array(RESOURCES).keys()].filter(i => style.getPropertyValue('--css' + i).trim() == i);
    const images = [...document.images].filter(i => i.complete && i.naturalWidth == i.dataset.width);
    report({scripts: window.loaded, styles: properties.length, images: images.length});
}

function events() {
    const source = new EventSource('/api/events'), seen = [];
    source.addEventListener('tick', e => {
        seen.push(e.data);
        fetch('/api/seen?' + e.lastEventId, {method: 'POST'});  // the next one comes only after this
    });
    source.addEventListener('end', () => { source.close(); report({events: seen}); });
    source.onerror = () => { source.close(); report({error: 'the event stream broke', events: seen}); };
}

function socket() {
    const socket = new WebSocket('ws://' + location.host + '/ws/echo', 'echo');
    let sent = 0, wrong = 0, expected;
    const next = () => {
        if (sent == MESSAGES) return socket.send('close, please');
        const size = sent * 2621;  // 0 to 128 KiB
        expected = sent++ % 2 ? new Uint8Array(size).fill(sent) : 'm'.repeat(size);
        socket.send(expected);
    };
    socket.binaryType = 'arraybuffer';
    socket.onopen = next;
    socket.onmessage = e => {
        const got = typeof e.data == 'string' ? e.data : new Uint8Array(e.data);
        const same = typeof got == 'string' ? got === expected :
            got.length == expected.length && got.every((byte, i) => byte == expected[i]);
        wrong += !same;
        next();
    };
    socket.onclose = e => report({sent, wrong, code: e.code, reason: e.reason, clean: e.wasClean, protocol: socket.protocol});
}

async function targets() {
    const statuses = {};
    for (const target of TARGETS)
        statuses[target] = (await fetch(target)).status;
    report({statuses});
}
addEventListener('load', () => ({resources, events, socket, targets})[task]());
</script>
LINKS
</head><body>IMAGES SCRIPTS</body></html>
"""


def write_site(folder):
    """A third of the resources each: style sheets, scripts, images. The sizes go from tens of bytes to 50 KiB."""
    links, images, scripts = [], [], []
    for i in range(RESOURCES):
        padding = "x" * (i * i * 5)
        if i % 3 == 0:
            (folder / f"{i}.css").write_text(f"/*{padding}*/ :root {{ --css{i}: {i}; }}")
            links.append(f'<link rel="stylesheet" href="/{i}.css">')
        elif i % 3 == 1:
            (folder / f"{i}.js").write_text(f"/*{padding}*/ window.loaded++;")
            scripts.append(f'<script src="/{i}.js" async></script>')
        else:
            (folder / f"{i}.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{i}" height="9"><!--{padding}--></svg>')
            images.append(f'<img data-width="{i}" src="/{i}.svg">')
    page = PAGE
    for word, text in (("RESOURCES", str(RESOURCES)), ("MESSAGES", str(MESSAGES)), ("TARGETS", json.dumps(TARGETS)), ("LINKS", "\n".join(links)),
                       ("IMAGES", "\n".join(images)), ("SCRIPTS", "\n".join(scripts))):
        page = page.replace(word, text)
    (folder / "index.html").write_text(page)
    (folder / "@scope").mkdir()
    for name in ("report[1].txt", "100%", "a|b", "\u00f6{1}", "@scope/name"):
        (folder / name).write_text(name)
    return len(scripts), len(links), len(images)


class ReportServer:
    """/api/events sends an event when the page has reported the one before; /api/report ends the test."""

    def __init__(self):
        owner = self
        self.reports, self.seen = queue.Queue(), queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                if self.path == "/api/report":
                    owner.reports.put(json.loads(body))
                else:
                    owner.seen.put(self.path.partition("?")[2])
                self.send_response(204)
                self.end_headers()

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for i in range(EVENTS):
                    self.put(f"id: {i}\nevent: tick\ndata: {i}\n\n")
                    if owner.seen.get(timeout=120) != str(i):
                        break
                self.put("event: end\ndata: x\n\n")
                self.wfile.write(b"0\r\n\r\n")

            def put(self, text):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text.encode()))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

"""Debian's docker-registry on loopback, to which an engine speaks clear text, and docker on the command line."""
import json
import subprocess

from proxy_alone import free_port
from real_programs import Server, environment, require, run

CONFIG = """
version: 0.1
log: {{level: info, accesslog: {{disabled: false}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def password_line(user, password):
    """As an htpasswd file has it, by bcrypt: the registry takes no other."""
    code, out, err = run(require("htpasswd", "apache2-utils"), "-nbB", "-C", "4", user, password)
    assert code == 0, err
    return out.decode().strip()


class Registry(Server):
    """login: (user, password) that it asks for; None: anybody."""

    def __init__(self, folder, login=None):
        program = require("docker-registry", "docker-registry")
        self.port = free_port()
        self.blobs = folder / "registry" / "docker" / "registry" / "v2" / "blobs"
        text = CONFIG.format(root=folder / "registry", port=self.port)
        if login:
            (folder / "htpasswd").write_text(password_line(*login) + "\n")
            text += f"auth: {{htpasswd: {{realm: test, path: {folder / 'htpasswd'}}}}}\n"
        config = folder / "registry.yml"
        config.write_text(text)
        super().__init__([program, "serve", config], folder / "registry.log",
                         env=environment(OTEL_TRACES_EXPORTER="none"))
        self.wait_for_port(self.port)


class Docker:
    """folder: of its config.json; None: the user's."""

    def __init__(self, socket, folder=None):
        self.base = ["docker", *(["--config", str(folder)] if folder else []), "-H", f"unix://{socket}"]

    def __call__(self, *arguments, **options):
        done = subprocess.run([*self.base, *arguments], capture_output=True, timeout=600, env=environment(), **options)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def image(self, name):
        return json.loads(self("image", "inspect", name))[0]

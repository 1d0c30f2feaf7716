"""git over smart HTTP: nginx and fcgiwrap with git's own git-http-backend behind the proxy."""
import os
import tempfile

import pytest

from proxy_fixtures import proxy  # noqa: F401 (fixture)
from real_programs import environment, nginx, require, run, server  # noqa: F401 (fixtures)

BACKEND = "/usr/lib/git-core/git-http-backend"
LOCATION = """
location /git/ {{
    fastcgi_pass unix:{socket};
    fastcgi_param SCRIPT_FILENAME {backend};
    fastcgi_param GIT_PROJECT_ROOT {root};
    fastcgi_param GIT_HTTP_EXPORT_ALL 1;
    fastcgi_param PATH_INFO $fastcgi_script_name;
    fastcgi_param REQUEST_METHOD $request_method;
    fastcgi_param QUERY_STRING $query_string;
    fastcgi_param CONTENT_TYPE $content_type;
    fastcgi_param CONTENT_LENGTH $content_length;
    fastcgi_param SERVER_PROTOCOL $server_protocol;
    fastcgi_param REMOTE_ADDR $remote_addr;
    fastcgi_buffering off;
}}
"""


class Git:
    def __init__(self, folder):
        self.program = require("git", "git")
        self.folder = folder
        self.trace = folder / "trace"
        config = folder / "gitconfig"
        config.write_text("[user]\nname = Test\nemail = test@example.com\n[init]\ndefaultBranch = main\n[safe]\ndirectory = *\n"
                          "[gc]\nauto = 0\n")
        self.env = environment(HOME=str(folder), GIT_CONFIG_GLOBAL=str(config), GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0",
                               GIT_TRACE_CURL=str(self.trace), GIT_TRACE_CURL_NO_DATA="1")

    def __call__(self, *arguments, cwd=None):
        code, out, err = run(self.program, *arguments, cwd=cwd or self.folder, env=self.env)
        assert code == 0, err.decode(errors="replace")
        return out.decode().strip()

    def commit(self, work, name, content):
        (work / name).write_bytes(content)
        self("add", name, cwd=work)
        self("commit", "-q", "-m", f"adds {name}", cwd=work)
        return self("rev-parse", "HEAD", cwd=work)


@pytest.fixture
def git(tmp_path):
    return Git(tmp_path)


@pytest.fixture
def repository(git, nginx, server, proxy, tmp_path):
    """The URL, through the proxy, of an empty repository that takes pushes."""
    root = tmp_path / "repositories" / "git"
    git("init", "-q", "--bare", root / "project.git")
    git("config", "http.receivepack", "true", cwd=root / "project.git")
    with tempfile.TemporaryDirectory(prefix="portico-") as short:  # the path of a socket may not be long
        socket = f"{short}/fcgiwrap.sock"
        wrapper = server(require("/usr/sbin/fcgiwrap", "fcgiwrap"), "-c", "2", "-s", f"unix:{socket}", env=git.env)
        wrapper.wait_for_socket(socket)
        n = nginx(LOCATION.format(socket=socket, backend=require(BACKEND, "git"), root=root.parent))
        yield f"http://127.0.0.1:{proxy([n.port]).port}/git/project.git"
        wrapper.stop()


@pytest.mark.long
def test_push_clone_and_fetch(git, repository, tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    git("init", "-q", ours)
    large = os.urandom(20 << 20)
    first = git.commit(ours, "large", large)
    # a pack larger than the buffer goes up chunked
    git("-c", "http.postBuffer=65536", "push", "-q", repository, "main", cwd=ours)
    assert "Transfer-Encoding: chunked" in git.trace.read_text(errors="replace")

    git("clone", "-q", repository, theirs)
    assert (theirs / "large").read_bytes() == large
    assert git("rev-parse", "HEAD", cwd=theirs) == first
    git("fsck", "--full", "--strict", cwd=theirs)

    # history that the server has, and many small objects: the negotiation goes up compressed
    for i in range(20):
        last = git.commit(ours, f"small{i}", b"line\n" * i)
    git("push", "-q", repository, "main", cwd=ours)
    git("fetch", "-q", "origin", cwd=theirs)
    assert git("rev-parse", "origin/main", cwd=theirs) == last
    git("fsck", "--full", "--strict", cwd=theirs)


@pytest.mark.parametrize("protocol", ["0", "1", "2"])
def test_each_protocol_version_clones(git, repository, tmp_path, protocol):
    ours = tmp_path / "ours"
    git("init", "-q", ours)
    head = git.commit(ours, "file", b"content\n")
    git("push", "-q", repository, "main", cwd=ours)
    git("-c", f"protocol.version={protocol}", "clone", "-q", "--depth", "1", repository, tmp_path / "clone")
    assert git("rev-parse", "HEAD", cwd=tmp_path / "clone") == head


def test_a_push_that_the_server_refuses_says_why(git, repository, tmp_path):
    ours = tmp_path / "ours"
    git("init", "-q", ours)
    git.commit(ours, "file", b"content\n")
    git("push", "-q", repository, "main", cwd=ours)
    git("commit", "-q", "--amend", "-m", "another", cwd=ours)
    code, _, err = run(git.program, "push", repository, "main", cwd=ours, env=git.env)
    assert code == 1 and b"[rejected]" in err
    code, _, err = run(git.program, "clone", repository.replace("project", "nothing"), "x", cwd=tmp_path, env=git.env)
    assert code == 128 and b"not found" in err

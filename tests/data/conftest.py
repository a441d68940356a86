"""A file server on the loopback that misbehaves on request, and writes down what it was asked."""

import dataclasses
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import pytest


@dataclasses.dataclass
class Reply:
    """How one request is answered; the default is what a good server does."""

    status: int | None = None  # answer with this error
    cut: int | None = None  # close the connection after so many bytes of the body
    hold: threading.Event | None = None  # send nothing after ``cut`` bytes until this is set
    ranges: bool = True  # honour Range
    conditions: bool = True  # honour If-Range
    early: int = 0  # start a range so many bytes too early
    etag: str | None = '"one"'
    length: bool = True  # announce Content-Length
    location: str | None = None  # send the client elsewhere


class Loopback:
    def __init__(self, port: int) -> None:
        self.root = f"http://127.0.0.1:{port}/"
        self.files: dict[str, bytes] = {}
        self.script: list[Reply] = []  # the replies to the next requests, in order
        self.usual = Reply()  # and to all further ones
        self.asked: list[tuple[str | None, str | None]] = []  # Range and If-Range of each request

    def serve(self, name: str, body: bytes, *script: Reply) -> str:
        self.files[name] = body
        self.script = list(script)
        return self.root + name


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        loopback: Loopback = self.server.loopback
        loopback.asked.append((self.headers["Range"], self.headers["If-Range"]))
        reply = loopback.script.pop(0) if loopback.script else loopback.usual
        if reply.location:
            self.send_response(302)
            self.send_header("Location", reply.location)
            return self.end_headers()
        if reply.status:
            return self.send_error(reply.status)
        body = loopback.files[self.path[1:]]
        start = self._start(reply, len(body))
        if start is not None and start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            return self.end_headers()
        self.send_response(200 if start is None else 206)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if reply.etag:
            self.send_header("ETag", reply.etag)
        body = body[start or 0 :]
        if reply.length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if reply.cut is None else body[: reply.cut])
        self.wfile.flush()
        if reply.hold:
            reply.hold.wait(60)
        return None

    def _start(self, reply: Reply, size: int) -> int | None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        unchanged = self.headers["If-Range"] in {None, reply.etag} or not reply.conditions
        return int(asked[1]) - reply.early if asked and reply.ranges and unchanged else None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def _server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def loopback(_server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    monkeypatch.setenv("no_proxy", "*")
    _server.loopback = Loopback(_server.server_address[1])
    return _server.loopback


@pytest.fixture
def reply() -> type[Reply]:
    return Reply


# The packages stand empty, so that a module without torch is imported without it: that takes seconds.
_WITHOUT_TORCH = """
import sys, types
for name, path in {packages!r}.items():
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = path
"""


@pytest.fixture
def child() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start another process: ``child(code, *arguments)``. It is killed at the end of the test if it still lives."""
    packages = {name: list(find_spec(name).submodule_search_locations) for name in ("segedu", "segedu.data")}
    processes = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _WITHOUT_TORCH.format(packages=packages) + code, *map(str, arguments)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()

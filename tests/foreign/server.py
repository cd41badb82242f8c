"""The real binary as a child process, its API, and a receiver to deliver to."""

import contextlib
import http.server
import json
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

TOKEN = "whs_tests-only-0123456789abcdef"
# A component may be compiled for many seconds, on a busy machine for minutes.
PATIENCE_SECS = 600


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes everything down: path, headers with their names in lower case, body."""

    got = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.got.put((self.path, headers, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Api:
    def __init__(self, base):
        self.base = base

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.base}/whisperer{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            if refused.code == 404:
                return None
            sys.exit(f"{method} {path}: {refused.code} {refused.read().decode()}")


def until(what, look):
    end = time.monotonic() + PATIENCE_SECS
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(0.1)
    sys.exit(f"not within {PATIENCE_SECS} s: {what}")


def same(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r}, and {wanted!r} was due")


@contextlib.contextmanager
def running(whisperer):
    """A server and a receiver: the API, the receiver's URL, the server's plugin folder."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as data:
        child = subprocess.Popen(
            [whisperer, "serve", "--listen", "127.0.0.1:0", "--data", data,
             "--allow-network", "127.0.0.0/8"],
            env={**os.environ, "WHISPERER_ADMIN_TOKEN": TOKEN},
            stdout=subprocess.PIPE, text=True,
        )
        try:
            line = next(it for it in child.stdout if "http://" in it)
            api = Api(line[line.index("http://"):].strip())
            yield api, f"http://127.0.0.1:{server.server_port}", pathlib.Path(data, "plugins")
        finally:
            child.terminate()
            child.wait(timeout=60)

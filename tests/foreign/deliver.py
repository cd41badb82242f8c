"""Starts a server, drops the given components into its folder, posts two events for each, and
looks at what a receiver gets. deliver.py WHISPERER COMPONENT..."""

import http.server
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

TOKEN = "whs_tests-only-0123456789abcdef"
# Each of these components is compiled for many seconds, on a busy machine for minutes.
PATIENCE_SECS = 600


class Receiver(http.server.BaseHTTPRequestHandler):
    got = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.got.put((self.path, dict(self.headers), body))
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


def loaded(api, name):
    status = api.call("GET", f"/plugins/{name}/")
    if status and status["load_error"]:
        sys.exit(f"{name} is refused: {status['load_error']}")
    return status if status and status["digest"] else None


def settled(api, hook):
    found = api.call("GET", f"/hook_events/?webhook={hook}")
    done = len(found) == 2 and all(it["state"] != "pending" for it in found)
    return [api.call("GET", f"/hook_events/{it['id']}/") for it in found] if done else None


def one(api, receiver, folder, component):
    name = component.stem
    start = time.monotonic()
    aside = folder / f".{name}.part"
    shutil.copy(component, aside)
    aside.rename(folder / component.name)
    until(f"{name} is live", lambda: loaded(api, name))
    print(f"{name}: live {time.monotonic() - start:.1f} s after it was dropped in")
    api.call("PUT", f"/event-types/package.{name}/", {"description": "For this test"})
    hook = api.call("POST", "/hooks/", {
        "target_url": f"{receiver}/{name}",
        "event_type": f"package.{name}",
        "plugins": [{"name": name, "config": {"from": name}}],
    })["id"]
    for payload in ({"number": "P-ä1"}, {"quiet": True}):
        api.call("POST", "/events/", {"type": f"package.{name}", "payload": payload})
    deliveries = until(f"{name}: both are settled", lambda: settled(api, hook))

    path, headers, body = Receiver.got.get(timeout=10)
    same("the path", path, f"/{name}")
    same("the body", json.loads(body), {"from": name, "number": "P-ä1"})
    same("its header", {k.lower(): v for k, v in headers.items()}.get("x-made-by"), name)
    same("what else came", Receiver.got.qsize(), 0)
    by_state = {it["state"]: it for it in deliveries}
    same("the states", sorted(by_state), ["delivered", "discarded"])
    run = by_state["delivered"]["attempts"][0]["chain"][0]
    same("its log", run["log"], [f"info: package.{name} for {receiver}"])
    discard = by_state["discarded"]["attempts"][0]["chain"][0]
    same("the discard", discard["result"], "discard")
    print(f"{name}: delivered as it made it, and one discarded, as it said; {run['time'] * 1000:.1f} ms")


def main():
    whisperer, *components = sys.argv[1:]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    receiver = f"http://127.0.0.1:{server.server_port}"
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
            folder = pathlib.Path(data, "plugins")
            for component in components:
                one(api, receiver, folder, pathlib.Path(component))
        finally:
            child.terminate()
            child.wait(timeout=60)


main()

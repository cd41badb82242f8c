"""Starts a server, drops the given components into its folder, posts two events for each, and
looks at what a receiver gets. deliver.py WHISPERER COMPONENT..."""

import json
import pathlib
import shutil
import sys
import time

from server import Receiver, running, same, until


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
    same("its header", headers.get("x-made-by"), name)
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
    with running(whisperer) as (api, receiver, folder):
        for component in components:
            one(api, receiver, folder, pathlib.Path(component))


main()

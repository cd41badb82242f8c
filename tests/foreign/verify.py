"""What a real server signs, verified in Python: `v1` by the official library of Standard Webhooks,
`v1a` by cryptography. Before, during and after a rotation; and refused when it was touched.
verify.py WHISPERER CAPTURES: the binary, and where the requests are written for verify.js."""

import base64
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from server import Receiver, running, same

FIRST = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAYLOADS = [
    {"test": 2432232314},
    {"text": "é \u2028 😀 </script>", "n": 123456789012345678901234567890, "f": 1.0},
    [],
]


def captured(api, phase, secrets, publics):
    """Posts each payload and takes down what came of it, with the keys that are to verify it."""
    found = []
    for payload in PAYLOADS:
        api.call("POST", "/events/", {"type": "package.created", "payload": payload})
        _, headers, body = Receiver.got.get(timeout=60)
        found.append({
            "phase": phase,
            "headers": headers,
            "body": base64.b64encode(body).decode(),
            # By name: whether it verifies, and which text it is.
            "secrets": secrets,
            "publics": publics,
        })
    return found


def capture(whisperer):
    with running(whisperer) as (api, receiver, _):
        hook = api.call("POST", "/hooks/", {
            "target_url": f"{receiver}/in",
            "event_type": "package.created",
            "secret_key": FIRST,
            "signatures": ["whisperer", "standard", "github", "ed25519"],
        })["id"]
        public = lambda: api.call("GET", f"/hooks/{hook}/public-key/")
        rotate = lambda body: api.call("POST", f"/hooks/{hook}/secret/rotate/", body)
        first = {key: public()[key] for key in ("public_key", "pem")}
        all_found = captured(api, "before", {"newest": FIRST}, {"newest": first})

        second_secret = rotate({"overlap_seconds": 3600})["secret_key"]
        second = {key: public()[key] for key in ("public_key", "pem")}
        same("what is shown as the key before", public()["previous"][0]["public_key"],
             first["public_key"])
        all_found += captured(
            api, "during",
            {"newest": second_secret, "oldest": FIRST},
            {"newest": second, "oldest": first},
        )

        rotated = rotate({"overlap_seconds": 0})
        third = {key: public()[key] for key in ("public_key", "pem")}
        same("the public key that a rotation tells", rotated["public_key"], third["public_key"])
        all_found += captured(
            api, "after",
            {"newest": rotated["secret_key"], "ended": second_secret},
            {"newest": third, "ended": second},
        )
    return all_found


def v1_holds(secret, headers, body):
    try:
        Webhook(secret).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


def v1a_holds(public_key, headers, body):
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    for signature in headers["webhook-signature"].split(" "):
        if signature.startswith("v1a,"):
            try:
                key.verify(base64.b64decode(signature.removeprefix("v1a,")), signed)
                return True
            except InvalidSignature:
                pass
    return False


def touched(headers, body):
    """The same request, in each way not as it was sent."""
    yield "body", headers, bytes([body[0] ^ 1]) + body[1:]
    yield "body's end", headers, body + b" "
    for name in ("webhook-id", "webhook-timestamp"):
        value = headers[name]
        last = "1" if value[-1] == "0" else "0"
        yield name, {**headers, name: value[:-1] + last}, body
    # The fifth character of each signature: any of base64 may stand there.
    changed = [
        kind + "," + text[:4] + ("A" if text[4] != "A" else "B") + text[5:]
        for kind, text in (it.split(",", 1) for it in headers["webhook-signature"].split(" "))
    ]
    yield "webhook-signature", {**headers, "webhook-signature": " ".join(changed)}, body


def main():
    whisperer, captures = sys.argv[1:]
    found = capture(whisperer)
    checked = 0
    for it in found:
        headers, body = it["headers"], base64.b64decode(it["body"])
        for name, secret in it["secrets"].items():
            same(f"v1 {it['phase']} by {name}", v1_holds(secret, headers, body), name != "ended")
            for what, other_headers, other_body in touched(headers, body):
                same(f"v1 with another {what}", v1_holds(secret, other_headers, other_body), False)
                checked += 1
        for name, public in it["publics"].items():
            holds = v1a_holds(public["public_key"], headers, body)
            same(f"v1a {it['phase']} by {name}", holds, name != "ended")
            for what, other_headers, other_body in touched(headers, body):
                holds = v1a_holds(public["public_key"], other_headers, other_body)
                same(f"v1a with another {what}", holds, False)
                checked += 1
    with open(captures, "w") as file:
        json.dump(found, file)
    print(f"Python: {len(found)} requests verify, {checked} that were touched do not")


main()

// The requests that verify.py took down, verified in JavaScript: `v1` by the official library of
// Standard Webhooks, `v1a` by node's crypto with the PEM, GitHub's form by Octokit.
// verify.mjs CAPTURES

import { createPublicKey, verify as verifyEd25519 } from "node:crypto";
import { readFileSync } from "node:fs";

import { verify as verifyGithub } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";

function v1Holds(secret, headers, body) {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch (error) {
    if (error.constructor.name === "WebhookVerificationError") return false;
    throw error;
  }
}

function v1aHolds(pem, headers, body) {
  const key = createPublicKey(pem);
  const signed = Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`);
  return headers["webhook-signature"]
    .split(" ")
    .filter((it) => it.startsWith("v1a,"))
    .some((it) => verifyEd25519(null, signed, key, Buffer.from(it.slice(4), "base64")));
}

function* touched(headers, body) {
  yield ["body", headers, `${body} `];
  for (const name of ["webhook-id", "webhook-timestamp"]) {
    const value = headers[name];
    const last = value.endsWith("0") ? "1" : "0";
    yield [name, { ...headers, [name]: value.slice(0, -1) + last }, body];
  }
  const other = (text) => text.slice(0, 4) + (text[4] === "A" ? "B" : "A") + text.slice(5);
  const changed = headers["webhook-signature"].split(" ").map((it) => {
    const [kind, text] = it.split(/,(.*)/s);
    return `${kind},${other(text)}`;
  });
  yield ["webhook-signature", { ...headers, "webhook-signature": changed.join(" ") }, body];
}

function same(what, found, wanted) {
  if (found !== wanted) {
    console.error(`${what}: ${found}, and ${wanted} was due`);
    process.exit(1);
  }
}

const captures = JSON.parse(readFileSync(process.argv[2], "utf8"));
let checked = 0;
for (const { phase, headers, body: packed, secrets, publics } of captures) {
  const body = Buffer.from(packed, "base64").toString("utf8");
  for (const [name, secret] of Object.entries(secrets)) {
    same(`v1 ${phase} by ${name}`, v1Holds(secret, headers, body), name !== "ended");
    for (const [what, otherHeaders, otherBody] of touched(headers, body)) {
      same(`v1 with another ${what}`, v1Holds(secret, otherHeaders, otherBody), false);
      checked += 1;
    }
  }
  for (const [name, { pem }] of Object.entries(publics)) {
    same(`v1a ${phase} by ${name}`, v1aHolds(pem, headers, body), name !== "ended");
    for (const [what, otherHeaders, otherBody] of touched(headers, body)) {
      same(`v1a with another ${what}`, v1aHolds(pem, otherHeaders, otherBody), false);
      checked += 1;
    }
  }
  // One signature has room in this header: the oldest key's that holds.
  const hub = headers["x-hub-signature-256"];
  for (const [name, secret] of Object.entries(secrets)) {
    const due = name === (secrets.oldest ? "oldest" : "newest");
    same(`GitHub's form ${phase} by ${name}`, await verifyGithub(secret, body, hub), due);
    same("GitHub's form of another body", await verifyGithub(secret, `${body} `, hub), false);
    checked += 1;
  }
}
if (captures.length === 0) same("how many requests there are", 0, "at least one");
console.log(`JavaScript: ${captures.length} requests verify, ${checked} that were touched do not`);

#!/usr/bin/env bash
# Components that this project did not build: one of componentize-js, one of componentize-py, each
# made straight from wit/ as the tool's own documents say, then delivered through by a real server.
# And new projects in JavaScript and Python, which are built and hold their golden cases. First of
# all the signatures of a real server, verified by what receivers in these languages use.
#
# Not a part of `make test`, because it installs these tools from their registries.
# tests/foreign.sh WHISPERER FOLDER: the binary, and where tools and components are kept.
set -euo pipefail
# The scripts import from one another, and the sources are to stay as they are.
export PYTHONDONTWRITEBYTECODE=1
sources="$(cd "$(dirname "$0")" && pwd)"
whisperer="$(realpath "$1")"
mkdir -p "$2"
cd "$2"

COMPONENTIZE_JS=0.23.0
COMPONENTIZE_PY=0.25.1
STANDARDWEBHOOKS_JS=1.1.1
OCTOKIT_WEBHOOKS=6.0.0
STANDARDWEBHOOKS_PY=1.1.0
CRYPTOGRAPHY=50.0.2

timed() {
  local what="$1" start
  shift
  start="$(date +%s.%N)"
  "$@"
  printf '%s: %.1f s\n' "$what" "$(echo "$(date +%s.%N) - $start" | bc)"
}

install_js() {
  npm install --no-save --no-audit --no-fund --loglevel=error \
    "@bytecodealliance/componentize-js@$COMPONENTIZE_JS"
}

install_py() {
  python3 -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check "componentize-py==$COMPONENTIZE_PY"
}

# In a folder of its own: npm takes out what it was not told of this time.
install_verifiers() {
  mkdir -p verify
  npm install --prefix verify --no-save --no-audit --no-fund --loglevel=error \
    "standardwebhooks@$STANDARDWEBHOOKS_JS" "@octokit/webhooks-methods@$OCTOKIT_WEBHOOKS"
  python3 -m venv verify/.venv
  verify/.venv/bin/pip install --quiet --disable-pip-version-check \
    "standardwebhooks==$STANDARDWEBHOOKS_PY" "cryptography==$CRYPTOGRAPHY"
}

verify() {
  verify/.venv/bin/python "$sources/foreign/verify.py" "$whisperer" verify/captures.json
  # Beside its libraries, where node looks for them.
  cp "$sources/foreign/verify.mjs" verify/
  node verify/verify.mjs verify/captures.json
}

# Without these two it would import wasi:http, which no plugin gets.
build_js() {
  npx componentize-js --wit wit --world-name plugin --disable http --disable fetch-event \
    --out foreign-js.wasm component.js
}

build_py() {
  .venv/bin/componentize-py --wit-path wit --world plugin componentize component \
    --output foreign-py.wasm
}

test -d verify/node_modules/@octokit || timed "install verifiers" install_verifiers
timed "verify signatures" verify

rm -rf wit
cp -r "$sources/../wit" wit
cp "$sources/foreign/component.js" "$sources/foreign/component.py" .
test -d "node_modules/@bytecodealliance/componentize-js" || timed "install componentize-js" install_js
test -x .venv/bin/componentize-py || timed "install componentize-py" install_py
timed "build foreign-js.wasm" build_js
timed "build foreign-py.wasm" build_py
ls -l foreign-*.wasm

for language in javascript python; do
  project="new-$language"
  rm -rf "$project"
  "$whisperer" plugin new "$project" --lang "$language"
  timed "build $project" "$whisperer" plugin build "$project"
  "$whisperer" plugin test "$project"
done

python3 "$sources/foreign/deliver.py" "$whisperer" foreign-js.wasm foreign-py.wasm

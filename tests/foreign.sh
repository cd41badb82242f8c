#!/usr/bin/env bash
# Components that this project did not build: one of componentize-js, one of componentize-py, each
# made straight from wit/ as the tool's own documents say, then delivered through by a real server.
# And new projects in JavaScript and Python, which are built and hold their golden cases.
#
# Not a part of `make test`, because it installs these tools from their registries.
# tests/foreign.sh WHISPERER FOLDER: the binary, and where tools and components are kept.
set -euo pipefail
sources="$(cd "$(dirname "$0")" && pwd)"
whisperer="$(realpath "$1")"
mkdir -p "$2"
cd "$2"

COMPONENTIZE_JS=0.23.0
COMPONENTIZE_PY=0.25.1

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

# Without these two it would import wasi:http, which no plugin gets.
build_js() {
  npx componentize-js --wit wit --world-name plugin --disable http --disable fetch-event \
    --out foreign-js.wasm component.js
}

build_py() {
  .venv/bin/componentize-py --wit-path wit --world plugin componentize component \
    --output foreign-py.wasm
}

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

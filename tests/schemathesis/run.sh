#!/usr/bin/env bash
# The document of the API against the API: schemathesis makes requests out of /openapi.json, valid
# and not, and holds every answer against it. With a token and without.
#
# Not a part of `make test`, because it installs schemathesis from its registry.
# tests/schemathesis/run.sh WHISPERER FOLDER EXAMPLES: the binary, where the tool is kept, and how many
# requests each operation gets in a phase.
set -euo pipefail
sources="$(cd "$(dirname "$0")" && pwd)"
whisperer="$(realpath "$1")"
mkdir -p "$2"
cd "$2"
examples="$3"

SCHEMATHESIS=4.32.5
TOKEN=admin-token-of-this-test
# What a schema cannot say (an address that may not be called, a type that is not registered) is
# refused although it fits, so `positive_data_acceptance` does not apply.
export SCHEMATHESIS_HOOKS=hooks
export PYTHONPATH="$sources"
export PYTHONDONTWRITEBYTECODE=1
CHECKS=not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance
CHECKS=$CHECKS,response_schema_conformance,missing_required_header,unsupported_method
CHECKS=$CHECKS,allow_header_conformance,use_after_free,ensure_resource_availability,ignored_auth

if ! test -x .venv/bin/schemathesis; then
  python3 -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check "schemathesis==$SCHEMATHESIS"
fi

rm -rf data
mkfifo said 2>/dev/null || true
WHISPERER_ADMIN_TOKEN=$TOKEN "$whisperer" serve --listen 127.0.0.1:0 --data data --log error >said &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
exec 3<said
while read -r line <&3; do
  case "$line" in *"listening on "*) break ;; esac
done
url="${line##*listening on }"

run() {
  .venv/bin/schemathesis run "$url/openapi.json" --checks "$CHECKS" --max-examples "$examples" \
    --continue-on-failure --suppress-health-check all --request-timeout 30 --no-color "$@"
}

echo "== with an admin's token"
run --header "Authorization: Token $TOKEN"
echo "== without"
run
kill -0 $server

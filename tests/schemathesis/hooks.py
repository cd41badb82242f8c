"""How bodies are written that are neither JSON nor a form: as the bytes that they are."""

import schemathesis


@schemathesis.serializer("application/wasm", "application/toml")
def as_bytes(_context, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")

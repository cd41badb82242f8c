// UTF-8. The engine has no TextDecoder, and a loop over bytes costs it 20 times what its own
// functions cost: so these are put together here, and most text is plain ASCII.

const CHUNK = 4096; // arguments of one call

function isAscii(bytes) {
  for (let at = 0; at < bytes.length; at += CHUNK) {
    if (Math.max.apply(null, bytes.subarray(at, at + CHUNK)) > 127) {
      return false;
    }
  }
  return true;
}

/** Text of bytes; throws a URIError if they are not UTF-8. */
export function decode(bytes) {
  const units = atob(bytes.toBase64());
  return isAscii(bytes) ? units : decodeURIComponent(escape(units));
}

const ofUnits = (units) => Uint8Array.fromBase64(btoa(units));

/** Bytes of text; throws a URIError if half of a surrogate pair is in it. */
export function encode(text) {
  let bytes;
  try {
    bytes = ofUnits(text);
  } catch {
    // There is more in it than Latin-1.
  }
  return bytes && isAscii(bytes) ? bytes : ofUnits(unescape(encodeURIComponent(text)));
}

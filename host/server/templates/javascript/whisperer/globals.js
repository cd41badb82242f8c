// What other people's modules expect to find: console, TextEncoder, TextDecoder.

import { debug, error, info, warn } from './log.js';
import { decode, encode } from './text.js';

const shown = (value) => {
  if (typeof value === 'string') {
    return value;
  }
  return value instanceof Error ? String(value.stack ?? value) : JSON.stringify(value) ?? String(value);
};
const line = (write) => (...values) => write(values.map(shown).join(' '));

globalThis.console = {
  debug: line(debug),
  error: line(error),
  info: line(info),
  log: line(info),
  trace: line(debug),
  warn: line(warn),
};

globalThis.TextDecoder = class TextDecoder {
  encoding = 'utf-8';

  constructor(label = 'utf-8') {
    if (!/^utf-?8$/i.test(label)) {
      throw new RangeError(`only UTF-8 is known here, not ${label}`);
    }
  }

  decode(bytes = new Uint8Array()) {
    const { buffer = bytes, byteOffset, byteLength } = bytes;
    return decode(new Uint8Array(buffer, byteOffset, byteLength));
  }
};

globalThis.TextEncoder = class TextEncoder {
  encoding = 'utf-8';

  encode(text = '') {
    return encode(String(text).toWellFormed());
  }
};

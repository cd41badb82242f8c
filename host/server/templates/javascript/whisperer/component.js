// Between the contract (wit/whisperer.wit) and src/plugin.js: bytes in, bytes out.

import './globals.js';
import * as plugin from '../src/plugin.js';
import { begin } from './log.js';
import { reject } from './plugin.js';
import { decode, encode } from './text.js';

const CHANGES = ['payload', 'contentType', 'bare', 'setHeaders', 'appendHeaders', 'removeHeaders'];

if (typeof plugin.transform !== 'function') {
  throw new Error('src/plugin.js exports no function transform');
}

function seen(event) {
  let parsed;
  return {
    id: event.id,
    type: event.eventType,
    occurredAtMs: event.occurredAtMs,
    contentType: event.contentType,
    bytes: event.payload,
    headers: event.headers,
    attributes: event.attributes,
    get payload() {
      if (parsed === undefined) {
        try {
          parsed = JSON.parse(decode(event.payload));
        } catch (why) {
          throw reject('bad-payload', `the payload is not JSON: ${why.message}`);
        }
      }
      return parsed;
    },
  };
}

const headers = (named) =>
  Object.entries(named ?? {}).map(([name, value]) => ({ name, value: String(value) }));

function bytes(payload) {
  if (payload === undefined || payload instanceof Uint8Array) {
    return payload;
  }
  const text = JSON.stringify(payload);
  if (text === undefined) {
    throw new TypeError(`transform answered a payload that is a ${typeof payload}: JSON or bytes are due`);
  }
  return encode(text);
}

function answer(made) {
  if (made === undefined || made === null) {
    return { tag: 'unchanged' };
  }
  if (typeof made !== 'object' || typeof made.then === 'function') {
    const what = typeof made === 'object' ? 'promise: a plugin cannot wait for anything' : typeof made;
    throw new TypeError(`transform answered a ${what}; an object, discard() or nothing is due`);
  }
  if (made.discard) {
    return { tag: 'discard', val: made.discard };
  }
  const unknown = Object.keys(made).find((name) => !CHANGES.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(`transform answered ${unknown}, and only these can be changed: ${CHANGES.join(', ')}`);
  }
  return {
    tag: 'modified',
    val: {
      payload: bytes(made.payload),
      contentType: made.contentType === undefined ? undefined : String(made.contentType),
      bare: Boolean(made.bare),
      setHeaders: headers(made.setHeaders),
      appendHeaders: headers(made.appendHeaders),
      removeHeaders: Array.from(made.removeHeaders ?? [], String),
    },
  };
}

/** An exception in one line, with the author's own part of its way. */
function told(why) {
  const way = why instanceof Error ? why.stack.split('\n').map((frame) => frame.trim()) : [];
  const own = way.filter((frame) => frame !== '' && !frame.includes('/whisperer/'));
  return [String(why), ...own].join(', ');
}

export const transform = {
  transform(event, target, config) {
    begin();
    try {
      return answer(plugin.transform(seen(event), target, JSON.parse(config)));
    } catch (why) {
      // Anything else is a fault of the plugin, and is told as one.
      throw why?.failure ?? { tag: 'reject', val: { code: 'exception', message: told(why) } };
    }
  },
};

const text = (value) => (value === undefined ? undefined : JSON.stringify(value));

export const describe = {
  describe() {
    begin();
    const { about = {} } = plugin;
    return {
      version: String(about.version ?? ''),
      summary: String(about.summary ?? ''),
      events: Array.from(about.events ?? [], String),
      configSchema: text(about.configSchema),
      configExample: text(about.configExample),
      attributes: [],
    };
  },
};

// Between the contract (wit/whisperer.wit) and src/plugin.js: bytes in, bytes out.

import * as plugin from '../src/plugin.js';
import { reject } from './plugin.js';

const decoder = new TextDecoder();
const encoder = new TextEncoder();

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
          parsed = JSON.parse(decoder.decode(event.payload));
        } catch (why) {
          throw reject('bad-payload', `the payload is not JSON: ${why.message}`);
        }
      }
      return parsed;
    },
  };
}

const headers = (named = {}) => Object.entries(named).map(([name, value]) => ({ name, value }));

function bytes(payload) {
  if (payload === undefined || payload instanceof Uint8Array) {
    return payload;
  }
  return encoder.encode(JSON.stringify(payload));
}

function answer(made) {
  if (made === undefined || made === null) {
    return { tag: 'unchanged' };
  }
  if (made.discard) {
    return { tag: 'discard', val: made.discard };
  }
  return {
    tag: 'modified',
    val: {
      payload: bytes(made.payload),
      contentType: made.contentType,
      bare: made.bare ?? false,
      setHeaders: headers(made.setHeaders),
      appendHeaders: headers(made.appendHeaders),
      removeHeaders: made.removeHeaders ?? [],
    },
  };
}

export const transform = {
  transform(event, target, config) {
    try {
      return answer(plugin.transform(seen(event), JSON.parse(config), target));
    } catch (why) {
      // Anything else is a fault of the plugin, and is told as one.
      throw why?.failure ?? { tag: 'reject', val: { code: 'exception', message: String(why?.stack ?? why) } };
    }
  },
};

const text = (value) => (value === undefined ? undefined : JSON.stringify(value));

export const describe = {
  describe() {
    const { about } = plugin;
    return {
      version: about.version ?? '',
      summary: about.summary ?? '',
      events: about.events ?? [],
      configSchema: text(about.configSchema),
      configExample: text(about.configExample),
      attributes: [],
    };
  },
};

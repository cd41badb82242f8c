// Greets the partner, and keeps internal events in the house. Make it yours.
//
// It runs in QuickJS: ES modules, also those of packages in node_modules, and console; no fetch,
// no timers, no Intl. For JSON of more than some hundred KiB take Rust, or more than 100 ms.

import { discard, info } from '../whisperer/plugin.js';

export const about = {
  version: '0.1.0',
  summary: 'Greets the partner',
  // Event types and patterns it runs on where a hook names no chain.
  events: [],
  // JSON Schema (2020-12): a hook whose configuration does not fit is refused. A property with
  // "writeOnly": true is a secret, which is never shown again.
  configSchema: {
    type: 'object',
    required: ['greeting'],
    additionalProperties: false,
    properties: {
      greeting: { type: 'string', minLength: 1, maxLength: 100 },
    },
  },
  configExample: { greeting: 'Good morning' },
};

/**
 * @param event    {id, type, occurredAtMs, contentType, payload (parsed), bytes, headers, attributes}
 * @param target   {hookId, origin}
 * @param config   what the hook says for this plugin
 * @returns nothing, to send the event as it is; or what is to change: {payload, contentType,
 *          bare, setHeaders, appendHeaders, removeHeaders}; or discard(code, message)
 */
export function transform(event, target, config) {
  if (event.payload.internal === true) {
    return discard('internal', 'stays in the house');
  }
  info(`greeting for ${event.id}`);
  return {
    payload: { greeting: config.greeting, what: event.type, about: event.payload },
  };
}

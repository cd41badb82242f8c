// A plugin that knows nothing but wit/whisperer.wit: no template and no file of ours beside it.

import { write } from 'whisperer:plugin/log@1.0.0';

export const transform = {
  transform(event, target, config) {
    const payload = JSON.parse(new TextDecoder().decode(event.payload));
    if (payload.quiet) {
      return { tag: 'discard', val: { code: 'quiet', message: 'nobody wants it' } };
    }
    write('info', `${event.eventType} for ${target.origin}`);
    const { from } = JSON.parse(config);
    return {
      tag: 'modified',
      val: {
        payload: new TextEncoder().encode(JSON.stringify({ from, ...payload })),
        contentType: undefined,
        bare: true,
        setHeaders: [{ name: 'X-Made-By', value: from }],
        appendHeaders: [],
        removeHeaders: [],
      },
    };
  },
};

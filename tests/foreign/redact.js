// The job of the plugin `redact`, in JavaScript, for `make bench-plugins`.

export const about = {
  version: '0.1.0',
  summary: 'Masks the values at paths',
  configSchema: {
    type: 'object',
    required: ['paths'],
    properties: { paths: { type: 'array', items: { type: 'string' } } },
  },
};

export function transform(event, _target, config) {
  const { payload } = event;
  let found = false;
  for (const path of config.paths) {
    const steps = path.split('.');
    const last = steps.pop();
    const within = steps.reduce((at, step) => at?.[step], payload);
    if (within !== undefined && within !== null && last in within) {
      within[last] = '***';
      found = true;
    }
  }
  return found ? { payload } : undefined;
}

// What a plugin may use. Each call runs in a fresh instance.

import { write } from 'whisperer:plugin/log@1.0.0';

export const debug = (message) => write('debug', String(message));
export const info = (message) => write('info', String(message));
export const warn = (message) => write('warn', String(message));
export const error = (message) => write('error', String(message));

/** This hook does not want the event: the delivery ends here, visibly. */
export const discard = (code, message) => ({ discard: { code, message } });

class Failure extends Error {
  constructor(tag, code, message) {
    super(message);
    this.failure = { tag, val: { code, message } };
  }
}

/** A passing trouble: `throw retry('code', 'words')`, and the hook's schedule decides when. */
export const retry = (code, message) => new Failure('retry', code, message);

/** A lasting one: `throw reject('code', 'words')`, and no later try is made. */
export const reject = (code, message) => new Failure('reject', code, message);

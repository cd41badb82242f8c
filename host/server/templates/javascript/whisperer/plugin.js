// What a plugin may use. Each call runs in a fresh instance.

export { debug, error, info, warn } from './log.js';

const reason = (code, message) => ({ code: String(code), message: String(message) });

/** This hook does not want the event: the delivery ends here, visibly. */
export const discard = (code, message) => ({ discard: reason(code, message) });

class Failure extends Error {
  constructor(tag, code, message) {
    super(message);
    this.failure = { tag, val: reason(code, message) };
  }
}

/** A passing trouble: `throw retry('code', 'words')`, and the hook's schedule decides when. */
export const retry = (code, message) => new Failure('retry', code, message);

/** A lasting one: `throw reject('code', 'words')`, and no later try is made. */
export const reject = (code, message) => new Failure('reject', code, message);

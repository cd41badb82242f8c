// Lines for whoever looks into an attempt. What modules say while the component is made goes
// nowhere: there is no attempt yet, and nobody to take it.

import { write } from 'whisperer:plugin/log@1.0.0';

let running = false;

/** From the first call on. */
export const begin = () => {
  running = true;
};

const line = (level) => (message) => {
  if (running) {
    write(level, String(message));
  }
};

export const debug = line('debug');
export const info = line('info');
export const warn = line('warn');
export const error = line('error');

// Makes dist/NAME.wasm: the engine, and the sources in it already read.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const { name } = JSON.parse(await readFile('package.json', 'utf8'));
const { component } = await componentize({
  sourcePath: 'whisperer/component.js',
  witPath: 'wit',
  worldName: 'described-plugin',
  // Nothing of this is granted to a plugin, and what is not there costs nothing.
  disableFeatures: ['clocks', 'fetch-event', 'http', 'random', 'stdio'],
});
await mkdir('dist', { recursive: true });
await writeFile(`dist/${name}.wasm`, component);

// Makes dist/NAME.wasm: the engine, QuickJS, and the sources in it already read.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { componentize } from 'componentize-qjs';

const { name } = JSON.parse(await readFile('package.json', 'utf8'));
const jsPath = 'whisperer/component.js';
try {
  const { component } = await componentize({
    jsPath,
    jsSource: await readFile(jsPath, 'utf8'),
    // Where imports are looked up: ./ and ../ from the file, packages in node_modules.
    moduleRoot: '.',
    witPath: 'wit',
    world: 'described-plugin',
    // A plugin is called and answers; it never waits for anything.
    sync: true,
  });
  await mkdir('dist', { recursive: true });
  await writeFile(`dist/${name}.wasm`, component);
} catch (why) {
  console.error(why.message.replace(/^: /, ''));
  process.exitCode = 1;
}

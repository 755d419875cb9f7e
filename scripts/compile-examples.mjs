// Compiles the programs of `examples` to `.data/examples`. They import `batch-service/worker` and the like by these names, as an
// application does. So they run against `dist`, which must have been built before. `tsx` cannot run them: NestJS needs the types of
// constructor parameters at run time, and esbuild does not write them.
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** Where the compiled examples are: `<folder>/NAME/main.js`. */
export const compiledExamples = join(root, '.data/examples');

/** @throws with the messages of the compiler */
export function compileExamples() {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  try {
    execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.examples.json')], { cwd: root });
  } catch (error) {
    throw new Error(`The examples do not compile:\n${error.stdout}`, { cause: error });
  }
}

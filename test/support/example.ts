import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { compiledExamples } from '../../scripts/compile-examples.mjs';
import { observeProcess, type ObservedProcess } from './observed-process.js';

const ROOT = join(import.meta.dirname, '../..');

/**
 * Starts a compiled program of an example.
 *
 * @param program without `.js`, from the folder of the example: `src/main`
 * @param environment all that it sees, but PATH and HOME
 */
export function startExampleProgram(
  example: string,
  program: string,
  environment: Readonly<Record<string, string | undefined>>,
): ObservedProcess {
  const file = join(compiledExamples, example, `${program}.js`);
  const child = spawn(process.execPath, ['--enable-source-maps', file], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return observeProcess(child);
}

/** Starts `npm run example NAME`, as somebody at a terminal does. */
export function startExample(example: string, args: readonly string[] = []): ObservedProcess {
  const child = spawn('npm', ['run', '--silent', 'example', example, '--', ...args], {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return observeProcess(child);
}

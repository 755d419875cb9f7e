import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const MODULE = pathToFileURL(join(import.meta.dirname, '../../dist/modules/bootstrap/watch-event-loop.js')).href;
const TIMEOUT_MS = 500;
const STOPPED_MS = 4 * TIMEOUT_MS;

describe('a process whose event loop is watched', () => {
  const running: ChildProcess[] = [];

  afterEach(() => {
    for (const child of running.splice(0)) child.kill('SIGKILL');
  });

  /** Runs `code` once the watch has begun. */
  function run(code: string, nodeOptions: readonly string[] = []) {
    const program = `
      import { setTimeout as delay } from 'node:timers/promises';
      import { watchEventLoop } from ${JSON.stringify(MODULE)};
      const block = (ms) => { for (const end = Date.now() + ms; Date.now() < end; ); };
      watchEventLoop(${TIMEOUT_MS}, (error) => console.error(error));
      await delay(${TIMEOUT_MS});
      console.log('begun');
      ${code}`;
    const child = spawn(process.execPath, [...nodeOptions, '--input-type=module', '--eval', program]);
    running.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
    const exited = once(child, 'close').then(([exitCode, signal]) => (exitCode ?? signal) as number | NodeJS.Signals);
    return { child, exited, output: () => output };
  }

  it('is ended when the loop is blocked for too long, with a line that says so', async () => {
    const startedAt = performance.now();
    const { child, exited, output } = run('block(60_000);');
    expect(await exited).toBe('SIGKILL');
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    expect(output()).toContain(
      `The event loop of process ${child.pid} stood still for 500 ms (BATCH_HANG_TIMEOUT): the process is ended`,
    );
  });

  it('goes on after a block that is shorter', async () => {
    const { exited, output } = run(`block(${TIMEOUT_MS / 4}); await delay(${2 * TIMEOUT_MS}); console.log('well');`);
    expect(await exited).toBe(0);
    expect(output()).toContain('well');
  });

  it('goes on after it was stopped and continued, however long that took', async () => {
    const { child, exited, output } = run(`await delay(${3 * TIMEOUT_MS}); console.log('well');`);
    await once(child.stdout, 'data');
    child.kill('SIGSTOP');
    await delay(STOPPED_MS);
    child.kill('SIGCONT');
    expect(await exited).toBe(0);
    expect(output()).toContain('well');
  });

  it('is left alone while a debugger may halt it', async () => {
    const { exited, output } = run(`block(${3 * TIMEOUT_MS}); console.log('well');`, ['--inspect=127.0.0.1:0']);
    expect(await exited).toBe(0);
    expect(output()).toContain('well');
  });

  it('ends by itself as soon as it has nothing to do', async () => {
    const { exited, output } = run(`process.on('exit', () => console.log(Date.now()));`);
    expect(await exited).toBe(0);
    expect(Date.now() - Number(/\d{13}/.exec(output())?.[0])).toBeLessThan(TIMEOUT_MS);
  });
});

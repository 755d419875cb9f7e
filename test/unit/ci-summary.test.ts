import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const PROGRAM = resolve(import.meta.dirname, '../../.ci/summary.mjs');

const report = (passed: number, failed = 0) => ({
  ...{ numPassedTests: passed, numFailedTests: failed, numPendingTests: 1, numTodoTests: 0 },
  testResults: [
    { status: failed > 0 ? 'failed' : 'passed', assertionResults: failed > 0 ? [{ status: 'failed' }] : [] },
  ],
});
/** A file that could not be loaded. */
const BROKEN = { ...report(3), testResults: [{ status: 'failed', assertionResults: [] }] };

type Command = [status: number, name: string, report?: object | 'missing'];

describe('what CI says at its end', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ci-summary-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function summary(commands: readonly Command[]): Promise<{ status: number | null; lines: string[] }> {
    const lines: string[] = [];
    for (const [index, [status, name, given]] of commands.entries()) {
      const file = join(folder, `${index}.json`);
      await rm(file, { force: true });
      if (typeof given === 'object') await writeFile(file, JSON.stringify(given));
      lines.push([status, name, ...(given === undefined ? [] : [file])].join('\t'));
    }
    await writeFile(join(folder, 'commands'), `${lines.join('\n')}\n`);
    const { status, stdout } = spawnSync(process.execPath, [PROGRAM, join(folder, 'commands')], { encoding: 'utf8' });
    return { status, lines: stdout.trim().split('\n') };
  }

  it('counts the tests of a report, and a program as one, and ends with 0 when nothing failed', async () => {
    expect(
      await summary([
        [0, 'test', report(7)],
        [0, 'demo'],
        [0, 'test:programs', report(2)],
      ]),
    ).toEqual({
      status: 0,
      lines: ['10 passed, 0 failed, 2 skipped'],
    });
  });

  it.each<[what: string, command: Command, last: string]>([
    ['a test', [1, 'test', report(7, 2)], '8 passed, 2 failed, 1 skipped'],
    ['a file of tests that cannot be loaded', [1, 'test', BROKEN], '4 passed, 1 failed, 1 skipped'],
    ['something outside every test', [1, 'test', report(7)], '8 passed, 1 failed, 1 skipped'],
    ['the set-up of the tests', [1, 'test', 'missing'], '1 passed, 1 failed'],
    ['a run without a test', [0, 'test', report(0)], '1 passed, 1 failed, 1 skipped'],
    ['a program', [1, 'test'], '1 passed, 1 failed'],
  ])('ends with 1 and names the command when this failed: %s', async (_what, command, last) => {
    expect(await summary([[0, 'demo'], command])).toEqual({ status: 1, lines: ['Failed: test', last] });
  });
});

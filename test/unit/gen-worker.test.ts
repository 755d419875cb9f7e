import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faultOfName } from '../../scripts/gen-worker/check-name.mjs';

const PROGRAM = resolve(import.meta.dirname, '../../scripts/gen-worker.mjs');

describe('the name of a worker', () => {
  it.each(['payment', 'card-payment', 'order', 'pgp', 'p', 'sms2', 'a-1', 'p'.repeat(40)])('may be %j', (name) => {
    expect(faultOfName(name)).toBeUndefined();
  });

  it.each([
    ['Payment', 'expected lower-case letters'],
    ['card_payment', 'expected lower-case letters'],
    ['-payment', 'expected lower-case letters'],
    ['payment-', 'expected lower-case letters'],
    ['card--payment', 'expected lower-case letters'],
    ['2fast', 'a letter first'],
    ['../payment', 'expected lower-case letters'],
    ['a/b', 'expected lower-case letters'],
    ['a\\b', 'expected lower-case letters'],
    ['.', 'expected lower-case letters'],
    ['zahlung-für', 'expected lower-case letters'],
    ['payment\n', 'expected lower-case letters'],
    ['', 'expected lower-case letters'],
    ['class', 'it is reserved'],
    ['node_modules', 'expected lower-case letters'],
    ['con', 'it is reserved'],
    ['com1', 'it is reserved'],
    ['job', 'it is reserved'],
    ['worker', 'it is reserved'],
    ['pg-stat', 'it is reserved'],
    ['bullmq', 'it is reserved'],
    ['batch-worker', 'it is reserved'],
    ['information-schema', 'it is reserved'],
    ['p'.repeat(41), 'it has 41 characters, and at most 40 are allowed'],
  ])('may not be %j: %s', (name, reason) => {
    expect(faultOfName(name)).toContain(reason);
  });
});

/** What it makes of a good name takes minutes: `test/programs/gen-worker.test.ts`. */
describe('the generator of workers', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'batch-gen-worker-'));
    await mkdir(join(folder, 'worker-there'));
    await writeFile(join(folder, 'file'), '');
    await symlink('nowhere', join(folder, 'worker-link'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  function generate(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    return new Promise((done) => {
      // As npm does: the folder in which the command was typed.
      const env = { ...process.env, INIT_CWD: folder };
      execFile(process.execPath, [PROGRAM, ...args], { env }, (error, stdout, stderr) =>
        done({ status: (error?.code as number | undefined) ?? 0, stdout, stderr }),
      );
    });
  }

  it.each([
    ['a bad name', ['../payment', '--into', '.'], 'The name "../payment" cannot be used: expected lower-case letters'],
    ['a folder that exists', ['there', '--into', '.'], 'worker-there exists already'],
    ['a link that leads nowhere', ['link', '--into', '.'], 'worker-link exists already'],
    ['a parent that does not exist', ['payment', '--into', 'nowhere'], 'There is no folder'],
    ['a parent that is a file', ['payment', '--into', 'file'], 'There is no folder'],
    ['no name', [], 'Expected one name, got 0'],
    ['two names', ['one', 'two'], 'Expected one name, got 2'],
    ['an unknown option', ['payment', '--force'], "Unknown option '--force'"],
  ])('refuses %s', async (_what, args, reason) => {
    const { status, stderr } = await generate(...args);
    expect(stderr).toContain(reason);
    expect(status).toBe(2);
    expect((await readdir(folder)).sort()).toEqual(['file', 'worker-link', 'worker-there']);
  });

  it('shows its usage', async () => {
    const { status, stdout } = await generate('--help');
    expect(stdout).toContain('npm run gen:worker NAME');
    expect(status).toBe(0);
  });
});

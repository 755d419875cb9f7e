import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** A module for `--import`, after which nothing can load these packages. */
function without(packages: string): string {
  const refuse =
    'export async function resolve(name, context, next) {' +
    `  if (/^(${packages})(\\/|$)/.test(name)) throw new Error("loads " + name);` +
    '  return next(name, context); }';
  return moduleUrl(`import { register } from "node:module"; register(${JSON.stringify(moduleUrl(refuse))});`);
}

const moduleUrl = (text: string): string => `data:text/javascript,${encodeURIComponent(text)}`;

describe('a command', () => {
  it.each([
    // It has the repository of keys.
    ['keys', ['help'], 0, '@nestjs|ioredis|pino'],
    ['parked-messages', ['--help'], 0, 'typeorm|@nestjs|ioredis|pino'],
    ['notifications', ['-h'], 0, 'typeorm|@nestjs|ioredis|pino'],
    ['operations', ['help'], 0, 'typeorm|@nestjs|ioredis|pino'],
    ['pauses', ['-h'], 0, 'typeorm|@nestjs|ioredis|pino'],
    ['job', ['help'], 0, 'typeorm|@nestjs|ioredis|pino|cli-progress'],
    ['sql', [], 2, 'typeorm|@nestjs|ioredis|pino'],
  ])('starts at once, without what the service is built with: %s', async (name, args, code, packages) => {
    const started = run(process.execPath, ['--import', without(packages), `dist/modules/${name}.js`, ...args], {
      cwd: ROOT,
    });
    const { stdout, stderr, status } = await started.then(
      (ended) => ({ ...ended, status: 0 }),
      (error: { stdout: string; stderr: string; code: number }) => ({ ...error, status: error.code }),
    );
    expect({ status, told: stdout + stderr }).toEqual({
      status: code,
      told: expect.stringContaining('Usage: npm run') as string,
    });
  });

  it('compiles the service only when a source has changed since a build that succeeded', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'batch-build-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await mkdir(join(folder, 'src/part'), { recursive: true });
    await mkdir(join(folder, 'ui'));
    await cp(join(ROOT, 'scripts/build-if-changed.mjs'), join(folder, 'scripts/build-if-changed.mjs'));
    const build = 'echo built >> builds; test ! -e broken && mkdir -p dist && touch dist/.built';
    const long = new Date(Date.now() - 60_000);
    const write = async (path: string, text: string, at = long): Promise<void> => {
      await writeFile(join(folder, path), text);
      await utimes(join(folder, path), at, at);
    };
    await write('package.json', JSON.stringify({ scripts: { build } }));
    await write('src/part/a.ts', '');
    await write('src/part/b.ts', '');
    for (const path of ['src', 'src/part', 'ui']) await utimes(join(folder, path), long, long);
    const command = () => run(process.execPath, ['scripts/build-if-changed.mjs'], { cwd: folder });
    const builds = async (): Promise<number> => (await readFile(join(folder, 'builds'), 'utf8')).split('\n').length - 1;

    await command();
    await command();
    expect(await builds()).toBe(1);
    const later = new Date(Date.now() + 60_000);
    await write('src/part/a.ts', 'changed', later);
    await write('broken', '');
    await expect(command()).rejects.toMatchObject({ code: 1 });
    await rm(join(folder, 'broken'));
    await command();
    expect(await builds()).toBe(3);
    await write('src/part/a.ts', 'changed');
    await command();
    expect(await builds()).toBe(3);
    await rm(join(folder, 'src/part/b.ts'));
    await command();
    expect(await builds()).toBe(4);
  });
});

import { execFile, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { faultOfName } from '../../scripts/gen-worker/check-name.mjs';
import { renderTemplate } from '../../scripts/gen-worker/render.mjs';
import { readWorkerSettings } from '../../src/worker/settings/load-worker-settings.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { observeProcess, type ObservedProcess } from '../support/observed-process.js';

const ROOT = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'batch-gen-worker-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Digits, one letter, names of packages and of folders that the project has too, the longest one. */
const NAMES = ['sms2', 'a-1', 'x', 'zod', 'test', 'src', 'enqueue', 'data', 'p'.repeat(40)];

it('generates sources that compile, and settings that the worker understands, for names of every kind', async () => {
  for (const name of NAMES) {
    expect(faultOfName(name)).toBeUndefined();
    await renderTemplate(name, join(folder, name));
    const { WORKER_NAME, ...others } = parseEnv(await readFile(join(folder, name, '.env.example'), 'utf8'));
    expect(WORKER_NAME).toBe(`worker-${name}`);
    expect(readWorkerSettings({ WORKER_NAME, ...others }).faults).toEqual([]);
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  const paths = { 'batch-service/worker': [join(ROOT, 'src/worker/index.ts')] };
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: './x/tsconfig.json', compilerOptions: { paths }, include: ['*/src', '*/test'] }),
  );

  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { stdout } = await run(process.execPath, [tsc, '-p', folder]).catch((error: { stdout: string }) => error);

  expect(stdout).toBe('');
}, 180_000);

describe('the generator, when npm', () => {
  let bin: string;
  let generators: ObservedProcess[];

  beforeEach(async () => {
    bin = join(folder, 'bin');
    generators = [];
    const library = join(folder, 'library');
    await Promise.all([bin, library, join(folder, 'into')].map((each) => mkdir(each)));
    await writeFile(join(library, 'package.json'), '{"name":"batch-service","version":"0.0.1"}');
  });
  afterEach(() => Promise.all(generators.map((each) => each.end())));

  /** @param install what npm does in place of `npm install`. In place of the library, which takes a minute, a small package is packed. */
  async function generate(install: string, more: NodeJS.ProcessEnv = {}): Promise<ObservedProcess> {
    const npm = (await run('sh', ['-c', 'command -v npm'])).stdout.trim();
    const pack = `cd '${folder}/library' && exec '${npm}' pack --silent --pack-destination "$5"`;
    await writeFile(
      join(bin, 'npm'),
      `#!/bin/sh\nif [ "$1" = run ]; then ${pack}; fi\n${install.replace('NPM', npm)}\n`,
    );
    await chmod(join(bin, 'npm'), 0o755);
    const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, ...more };
    const args = [join(ROOT, 'scripts/gen-worker.mjs'), 'payment', '--into', join(folder, 'into')];
    const generator = observeProcess(spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] }));
    generators.push(generator);
    return generator;
  }

  const made = (): Promise<string[]> => readdir(join(folder, 'into'));

  it('does not reach its registry, says so, ends with 1 and leaves nothing behind', async () => {
    const generator = await generate(`exec 'NPM' "$@"`, {
      npm_config_registry: `http://127.0.0.1:${await freePort()}`,
      npm_config_cache: join(folder, 'cache'),
      npm_config_fetch_retries: '0',
    });

    expect(await generator.exited).toBe(1);

    expect(generator.output).toContain('The worker was not made, and nothing of it is left: npm did not find out');
    expect(generator.output).toContain('If npm does not reach its registry, look at "npm config get registry"');
    expect(generator.output).toContain('ECONNREFUSED');
    expect(await made()).toEqual([]);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'works and %s comes, ends with 1 and leaves nothing behind',
    async (signal) => {
      const generator = await generate(`touch '${folder}/installs'; exec sleep 60`);
      await eventually(() => readFile(join(folder, 'installs')), { timeoutMs: 30_000 });
      expect(await made()).toEqual([expect.stringMatching(/^\.worker-payment-/)]);

      generator.signal(signal);

      expect(await generator.exited).toBe(1);
      expect(generator.output).toContain('The worker was not made, and nothing of it is left: interrupted');
      expect(await made()).toEqual([]);
    },
  );
});

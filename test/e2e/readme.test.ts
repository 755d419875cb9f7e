import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp } from '../support/app.js';
import { freePort } from '../support/free-port.js';
import { compileApplication, installLibrary, packLibrary } from '../support/library.js';
import { readmeExamples, readmeTables } from '../support/readme.js';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

function relativeLinks(markdown: string): { path: string; anchor?: string }[] {
  const links = markdown.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g);
  return [...links].map(([, path = '', anchor]) => ({ path, anchor }));
}

/** The headings as GitHub names them. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** What of `curl` the README uses, for machines that have none. */
const CURL = `#!/usr/bin/env node
const args = process.argv.slice(2);
const option = (name) => { const at = args.indexOf(name); return at < 0 ? undefined : args.splice(at, 2)[1]; };
const [end, header, body] = [option('-sw'), option('-H'), option('-d')];
const url = args.find((each) => !each.startsWith('-'));
const headers = header === undefined ? {} : Object.fromEntries([header.split(': ')]);
const answer = await fetch('http://' + url, { method: body === undefined ? 'GET' : 'POST', headers, body });
process.stdout.write((await answer.text()) + end.replace('\\\\n', '\\n'));
`;

describe('the README', () => {
  let folder: string;
  /** The tarball that another service installs, unpacked. */
  let library: string;
  let npm: ChildProcess | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'batch-readme-'));
    // For root the embedded server runs as another user, who has to come through.
    await chmod(folder, 0o755);
    library = await packLibrary(join(folder, 'made/by/pack-library'));
  });
  afterEach(() => npm?.kill());
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function started(service: ChildProcess): Promise<void> {
    let output = '';
    await new Promise<void>((resolve, reject) => {
      service.stdout?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('Batch Service is up')) resolve();
      });
      service.once('close', () => reject(new Error(`npm start ended:\n${output}`)));
    });
  }

  it('leads from npm start to a row in a table, and a signal to npm ends it all', { timeout: 120_000 }, async () => {
    const [, session = ''] = await readmeExamples('Try it', 'sh');
    const [afterwards = ''] = await readmeExamples('With curl', 'sh');
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'curl.mjs'), CURL);
    await writeFile(join(bin, 'curl'), `#!/bin/sh\nexec node '${bin}/curl.mjs' "$@"\n`, { mode: 0o755 });
    const port = await freePort();
    const environment = {
      PATH: `${bin}:${process.env.PATH}`,
      HOME: process.env.HOME,
      // Empty: whatever a developer's .env says.
      ...{
        NODE_ENV: '',
        DB_HOST: '',
        DB_NAME: '',
        BATCH_SERVICE_RMQ_URL: '',
        REDIS_URL: '',
        BATCH_ALLOWED_TARGETS: '',
      },
      BATCH_EMBEDDED_DIR: join(folder, 'postgres'),
      HTTP_PORT: String(port),
      BATCH_RPC_TCP_PORT: String(await freePort()),
    };
    npm = spawn('npm', ['start'], { cwd: ROOT, env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
    await started(npm);
    const shell = async (text: string): Promise<string> => {
      const local = text.replaceAll('localhost:3000', `127.0.0.1:${port}`);
      return (await run('sh', ['-e', '-c', local], { cwd: ROOT, env: environment })).stdout;
    };

    const output = await shell(session);
    expect(output).toMatch(/"status":"pending","created":true}/);
    expect(output).toMatch(/"status":"completed","rowsAffected":1/);
    expect(output).toMatch(/^\{"id":1,"name":"Ada"\}$/m);
    // The session's insert has settled, so there is a chunk at least.
    expect(await shell(afterwards)).toMatch(/"items":\[\{"id":"\d+","worker"/);
    expect(await shell('npm run --silent sql:url')).toMatch(
      /^postgres:\/\/postgres:.+@127\.0\.0\.1:\d+\/batch_service\n$/,
    );
    await expect(shell('npm run --silent sql -- "select * from nowhere"')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('relation "nowhere" does not exist'),
    });

    npm.kill('SIGTERM');
    expect(await once(npm, 'close')).toEqual([0, null]);
    await expect(access(join(folder, 'postgres/data/postmaster.pid'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(shell('npm run --silent sql:url')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('npm start'),
    });
  });

  it('has a program for plain AMQP that works on the same tables', async () => {
    const [program = ''] = await readmeExamples('From plain AMQP', 'js');
    const service = await startTestApp({ BATCH_ROLE: 'api' }, { schema: await readmeTables() });
    const { url, queue } = service.settings.rabbitmq!;
    const local = program
      .replaceAll('amqp://guest:guest@localhost:5672', url)
      .replaceAll("'batch_service'", `'${queue}'`);

    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', local], { cwd: ROOT });

    expect(stdout).toMatch(/status: 'pending',\s+created: true/);
    await service.close();
  });

  it('has a NestJS module that compiles and runs with the tarball of the library', { timeout: 120_000 }, async () => {
    const [program = ''] = await readmeExamples('From NestJS', 'ts');
    const service = await startTestApp(
      { BATCH_SERVICE_RMQ_URL: '', BATCH_PROCESS_OPERATION_INTERVAL: '200' },
      { schema: await readmeTables() },
    );
    const app = await applicationWith(program.replace('port: 3001', `port: ${service.settings.rpcTcp.port}`));

    await compileApplication(app);
    const { stdout } = await run(process.execPath, [join(app, 'main.js')]);

    expect(stdout).toBe('sold\nCHECK_VIOLATION\n');
    expect((await service.database.client.query('select quantity from stock')).rows).toEqual([{ quantity: 3 }]);
    await service.close();
  });

  it('has a tarball of the library whose documents link to nothing that it lacks', async () => {
    const files = await readdir(library, { recursive: true });
    const documents = files.filter((file) => file.endsWith('.md'));
    expect(documents).toEqual(expect.arrayContaining(['CHANGELOG.md', 'docs/client.md', 'docs/wire-format.md']));

    const broken: string[] = [];
    let followed = 0;
    for (const document of documents) {
      for (const { path, anchor } of relativeLinks(await readFile(join(library, document), 'utf8'))) {
        const target = path === '' ? document : join(dirname(document), path);
        followed += 1;
        const found = files.includes(target);
        const headings = found && anchor !== undefined ? anchorsOf(await readFile(join(library, target), 'utf8')) : [];
        if (!found || (anchor !== undefined && !headings.includes(anchor)))
          broken.push(`${document}: ${path}#${anchor}`);
      }
    }
    expect(broken).toEqual([]);
    expect(followed).toBeGreaterThan(20);
  });

  /** A service of somebody else, with what docs/client.md tells it to install. */
  async function applicationWith(shop: string): Promise<string> {
    const app = join(folder, 'app');
    await installLibrary(library, app, ['@nestjs/microservices']);
    await writeFile(join(app, 'shop.ts'), shop);
    await writeFile(
      join(app, 'main.ts'),
      `import 'reflect-metadata';
      import { NestFactory } from '@nestjs/core';
      import { ShopModule, StockService } from './shop.js';
      declare const console: { log(text: string): void };
      const app = await NestFactory.createApplicationContext(ShopModule, { logger: ['error'] });
      await app.get(StockService).sell('A-17', 2);
      console.log('sold');
      await app.get(StockService).sell('A-17', 100).catch((error: Error) => console.log(error.message.split(':')[0]!));
      await app.close();`,
    );
    return app;
  }
});

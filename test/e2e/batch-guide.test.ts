import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstJob, guideExamples, testOfFirstJob, type GuideStep } from '../support/batch-guide.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { installLibrary, packLibrary } from '../support/library.js';

const run = promisify(execFile);

const DECLARED = /^export (?:declare )?(?:abstract )?(?:class|interface|type|const|function) (\w+)/gm;

/** The packages that an `npm install` of the page names, without their versions. */
const installed = (commands: string): string[] =>
  [...commands.matchAll(/^npm install (.*)$/gm)]
    .flatMap(([, names = '']) => names.split(' '))
    .filter((name) => !name.startsWith('-') && !name.endsWith('.tgz'))
    .map((name) => name.replace(/(?<=.)@.*$/, ''));

/** A table as psql prints it: the names of the columns, and the rows. */
const tableOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => line.includes('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()));

async function selected(client: pg.Pool, query: string): Promise<string[][]> {
  const types = { getTypeParser: () => (text: string) => text };
  const { fields, rows } = await client.query<string[]>({ text: query, rowMode: 'array', types });
  return [fields.map(({ name }) => name), ...rows];
}

describe('docs/batch-guide.md', { timeout: 300_000 }, () => {
  let folder: string;
  let app: string;
  let steps: GuideStep[];
  let test: TestDatabase;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'batch-guide-'));
    steps = await firstJob();
    test = await createTestDatabase({ migrated: false });
    const [installation] = steps;
    if (installation?.does !== 'run') throw new Error('The page does not begin with the installation');
    app = await applicationWith(installed(installation.commands));
  });
  afterAll(async () => {
    await test?.drop();
    await rm(folder, { recursive: true, force: true });
  });

  it('leads from an empty folder to a job that runs, is refused, fails and is restarted, as it says', async () => {
    const afterInstallation = steps.slice(1);
    for (const step of afterInstallation) await follow(step);
    expect(afterInstallation.filter((step) => step.does === 'run' && step.prints !== undefined)).toHaveLength(7);
  });

  it('has a test of that job, which passes', async () => {
    const [file, command] = await testOfFirstJob();
    expect([file?.does, command?.does]).toEqual(['write', 'run']);
    for (const step of [file!, command!]) await follow(step);
  });

  it('has examples that compile and build what they define', async () => {
    const examples = await guideExamples();
    expect(examples.length).toBeGreaterThan(15);
    const names = await declaredNames();
    const source = join(app, 'examples');
    await mkdir(source);
    for (const { line, program } of examples) {
      const text = preludeOf(program, names) + '\n'.repeat(line - 1) + program;
      await writeFile(join(source, `line-${line}.ts`), text);
    }
    const compilerOptions = {
      rootDir: source,
      outDir: join(app, 'built'),
      lib: ['ES2023', 'DOM'],
      noEmitOnError: true,
    };
    const tsconfig = { extends: './tsconfig.json', compilerOptions, include: ['examples'] };
    await writeFile(join(app, 'tsconfig.examples.json'), JSON.stringify(tsconfig));
    await shell('npx tsc -p tsconfig.examples.json');

    const imports = examples.map(({ line }) => `await import('./built/line-${line}.js');`);
    await writeFile(join(app, 'all.js'), ["import 'reflect-metadata';", ...imports].join('\n'));
    expect(await shell('node all.js')).toBe('');
  });

  async function follow(step: GuideStep): Promise<void> {
    if (step.does === 'write') {
      await mkdir(dirname(join(app, step.path)), { recursive: true });
      await writeFile(join(app, step.path), step.content);
      return;
    }
    const { commands, prints } = step;
    const [, query] = /^psql "\$DATABASE_URL" -c '(.*)'\n$/.exec(commands) ?? [];
    if (query !== undefined) {
      expect(await selected(test.client, query)).toEqual(tableOf(prints ?? ''));
      return;
    }
    // The address of the reader's database: here that of the test.
    const output = await shell(commands.replace(/^export DATABASE_URL=.*$/m, ''));
    if (prints !== undefined) expect(output).toBe(prints);
  }

  async function shell(commands: string): Promise<string> {
    const { host, port, username, password, database } = test.connection;
    const url = `postgres://${username}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, DATABASE_URL: url };
    const { stdout } = await run('sh', ['-e', '-c', commands], { cwd: app, env }).catch(
      (error: Error & { stdout: string; stderr: string }) => {
        throw new Error(`${commands}${error.stdout}${error.stderr}`, { cause: error });
      },
    );
    return stdout;
  }

  /** An application of somebody else: the library, and what the page installs beside it. */
  async function applicationWith(packages: readonly string[]): Promise<string> {
    const to = join(folder, 'app');
    // An example validates by zod.
    await installLibrary(await packLibrary(folder), to, [...packages, 'zod']);
    await mkdir(join(to, 'node_modules/.bin'));
    await symlink('../typescript/bin/tsc', join(to, 'node_modules/.bin/tsc'));
    return to;
  }

  /** What the engine declares, types included. That it exports what an example uses is the compiler's to say. */
  async function declaredNames(): Promise<string[]> {
    const modules = join(app, 'node_modules/batch-service/dist/modules');
    const files = (await readdir(join(modules, 'batch'), { recursive: true })).map((file) => join('batch', file));
    const names: string[] = [];
    for (const file of [...files, 'interfaces/sql.d.ts'].filter((each) => each.endsWith('.d.ts'))) {
      const text = await readFile(join(modules, file), 'utf8');
      for (const [, name = ''] of text.matchAll(DECLARED)) names.push(name);
    }
    return [...new Set(names)];
  }
});

/** What the page says that its examples leave out. It is one line: errors are at the lines of the page. */
function preludeOf(program: string, names: readonly string[]): string {
  const own = ['BatchBuilders', 'PoolDatabase', 'JobOperator', 'JobRepository', 'SqlClient'];
  const declared = (name: string): boolean =>
    new RegExp(`\\b(const|class|interface) ${name}\\b|^import .*\\b${name}\\b`, 'm').test(program);
  const used = names.filter((name) => own.includes(name) || new RegExp(`\\b${name}\\b`).test(program));
  return [
    `import { ${used.filter((name) => !declared(name)).join(', ')} } from 'batch-service/batch';`,
    "import pg from 'pg';",
    'const b = new BatchBuilders();',
    'const pool = new pg.Pool();',
    'const database = new PoolDatabase(pool);',
    'const operator = undefined as unknown as JobOperator<SqlClient>;',
    'const repository = undefined as unknown as JobRepository<SqlClient>;',
  ].join(' ');
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { testEnvironment } from '../support/test-settings.js';

const ROOT = join(import.meta.dirname, '../..');

describe('npm run job', () => {
  let database: TestDatabase;
  let folder: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    folder = await mkdtemp(join(tmpdir(), 'batch-job-command-'));
  });
  afterAll(async () => {
    await database?.drop();
    await rm(folder, { recursive: true });
  });

  const begin = (args: string[]): Promise<ServiceProcess> =>
    startServiceProcess({ environment: testEnvironment(database.environment), program: 'job', args, cwd: ROOT });

  async function run(...args: string[]): Promise<{ status: unknown; output: string }> {
    const program = await begin(args);
    const status = await program.exited;
    return { status, output: program.output };
  }

  async function orders(name: string, count: number): Promise<string> {
    const file = join(folder, name);
    const lines = Array.from({ length: count }, (_, index) => `${name}-${index},Ada,1.00,2026-01-01`);
    await writeFile(file, ['order_no,customer,amount,ordered_on', ...lines].join('\n'));
    return file;
  }

  const instances = async (): Promise<number> =>
    (await database.client.query('select from batch.job_instances')).rowCount ?? -1;

  it('runs the examples: CSV to table, and table to table', async () => {
    const imported = await run('start', 'importOrders', 'file=demo/jobs/orders.csv', '--wait');
    expect(imported.status, imported.output).toBe(0);
    expect(imported.output).toMatch(/load: COMPLETED, 7 read, 5 written, 0 filtered, 3 skipped/);
    expect(imported.output).toContain('Line 8 of "demo/jobs/orders.csv" has 3 values instead of 4');
    expect(imported.output).toContain('invalid input syntax for type numeric: "not a number"');
    expect(imported.output).toContain('example_orders_amount_check');

    const archived = await run('start', 'archiveOrders', 'before=2026-03-01', '--wait', '--json');
    expect(archived.status, archived.output).toBe(0);
    expect(archived.output).toContain('"status":"COMPLETED"');
    const { rows } = await database.client.query('select order_no from example_archive.orders order by 1');
    expect(rows.map(({ order_no }) => order_no as string)).toEqual(['A-1001', 'A-1002', 'A-1003']);

    const listed = await run('list');
    expect(listed.output).toMatch(/archiveOrders .*\n\s+before\s+date, required/);
    expect((await run('executions', 'importOrders')).output).toMatch(/importOrders\s+COMPLETED/);
  });

  it.each([
    ['an unknown job', ['start', 'importOrder', '--wait'], 1, /NO_SUCH_JOB: .*archiveOrders, importOrders/],
    ['a missing parameter', ['start', 'importOrders', '--wait'], 1, /INVALID_JOB_PARAMETERS: .*"file" .*missing/],
    [
      'an unknown parameter',
      ['start', 'archiveOrders', 'before=2026-03-01', 'befor=1', '--wait'],
      1,
      /INVALID_JOB_PARAMETERS: .*no parameter "befor"; it has: before/,
    ],
    [
      'a file that is not there',
      ['start', 'importOrders', 'file=/nowhere/orders.csv', '--wait'],
      1,
      /INVALID_JOB_PARAMETERS: .*"file" must be a file that can be read: ENOENT/,
    ],
    [
      'a malformed date',
      ['start', 'archiveOrders', 'before=1.3.2026', '--wait'],
      1,
      /INVALID_JOB_PARAMETERS: .*"before" must be a time in ISO 8601/,
    ],
    ['an unknown execution', ['restart', '4711'], 1, /NO_SUCH_JOB_EXECUTION: .*4711/],
    ['an unknown command', ['begin'], 2, /no command 'begin'[\s\S]*Usage: npm run --silent job/],
    ['a word that is no parameter', ['start', 'importOrders', 'orders.csv'], 2, /<name>=<value>, not as 'orders.csv'/],
  ])('refuses %s with its code, and stores nothing', async (_, args, status, text) => {
    const before = await instances();
    const refused = await run(...args);
    expect(refused).toMatchObject({ status, output: expect.stringMatching(text) as string });
    expect(await instances()).toBe(before);
  });

  it('fails for a file with a wrong header, refuses a restart without the file, and goes on once it is right', async () => {
    const file = join(folder, 'later.csv');
    await writeFile(file, 'order_no,order_no,amount,ordered_on\n');
    const failed = await run('start', 'importOrders', `file=${file}`, '--wait');
    expect(failed).toMatchObject({
      status: 1,
      output: expect.stringContaining(`FLAT_FILE_HEADER_INVALID: Line 1 of "${file}"`) as string,
    });
    const id = /job -- restart (\d+)/.exec(failed.output)![1]!;
    await rm(file);
    expect(await run('restart', id, '--wait')).toMatchObject({
      status: 1,
      output: expect.stringMatching(/INVALID_JOB_PARAMETERS: .*"file" must be a file.*ENOENT/) as string,
    });
    await orders('later.csv', 3);
    const restarted = await run('restart', id, '--wait');
    expect(restarted.status, restarted.output).toBe(0);
    expect(restarted.output).toContain('3 written');
    const again = await run('start', 'importOrders', `file=${file}`, '--wait');
    expect(again).toMatchObject({
      status: 1,
      output: expect.stringContaining('JOB_INSTANCE_ALREADY_COMPLETE') as string,
    });
  });

  it('stops after the chunk on Ctrl-C with 3, and a restart writes every row once', async () => {
    const count = 60_000;
    const file = await orders('many.csv', count);
    const program = await begin(['start', 'importOrders', `file=${file}`, '--wait']);
    const written = async (): Promise<number> =>
      (await database.client.query(`select from public.example_orders where order_no like 'many.csv-%'`)).rowCount!;
    await expect.poll(written, { interval: 20, timeout: 20_000 }).toBeGreaterThan(0);
    program.signal('SIGINT');
    expect(await program.exited, program.output).toBe(3);
    expect(await written()).toBeLessThan(count);
    expect(program.output).toMatch(/load: STOPPED, \d+ %, \d+ read/);
    const id = /job -- restart (\d+)/.exec(program.output)![1]!;
    const restarted = await run('restart', id, '--wait');
    expect(restarted.status, restarted.output).toBe(0);
    expect(await written()).toBe(count);
  });

  it('leaves a job to a running service without --wait', async () => {
    const file = await orders('left.csv', 2);
    const left = await run('start', 'importOrders', `file=${file}`);
    expect(left.status, left.output).toBe(0);
    const { rows } = await database.client.query<{ status: string; owner: string | null }>(
      'select status, owner from batch.job_executions order by id desc limit 1',
    );
    expect(rows).toEqual([{ status: 'STARTING', owner: null }]);
    const stopped = await run('stop', /\d+/.exec(left.output)![0]);
    expect(stopped.status, stopped.output).toBe(0);
  });
});

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IJob, IJobExecution, IJobExecutionDetail, ISkippedItem } from '../../src/interfaces/job.js';
import type { IPage } from '../../src/interfaces/operation.js';
import { startTestApp, type TestApp } from '../support/app.js';

const ORDERS = [
  'order_no,customer,amount,ordered_on',
  'A-1,Ada,129.90,2026-01-04',
  'A-2,"Hopper, Grace",1249.00,2026-02-02',
  'A-3,Edsger,not a number,2026-02-14',
  'A-4,Donald,-5.00,2026-03-14',
  'A-5,Margaret,88.20',
  'A-6,Niklaus,64.00,2026-04-09',
];

const BAD_HEADER = ['order_no,order_no,amount,ordered_on', ...ORDERS.slice(1)];

let service: TestApp;
let folder: string;

beforeAll(async () => {
  service = await startTestApp({ BATCH_SERVICE_RMQ_URL: '' });
  folder = await mkdtemp(join(tmpdir(), 'batch-jobs-'));
});
afterAll(async () => {
  await service?.close();
  await rm(folder, { recursive: true });
});

interface Answer<T> {
  status: number;
  location: string | null;
  body: T;
}

async function ask<T>(method: string, path: string, body?: unknown, url = service.url): Promise<Answer<T>> {
  const response = await fetch(`${url}/api/v1/${path}`, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return {
    status: response.status,
    location: response.headers.get('location'),
    body: (await response.json()) as T,
  };
}

async function orders(lines: readonly string[] = ORDERS): Promise<string> {
  const file = join(folder, `${randomUUID()}.csv`);
  await writeFile(file, lines.join('\n'));
  return file;
}

const start = (parameters: object, job = 'importOrders', url?: string): Promise<Answer<IJobExecution>> =>
  ask('POST', `jobs/${job}/executions`, { parameters }, url);

async function ended(id: string): Promise<IJobExecutionDetail> {
  for (;;) {
    const { body } = await ask<IJobExecutionDetail>('GET', `job-executions/${id}`);
    if (body.endedAt !== undefined) return body;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('jobs over REST', () => {
  it('are listed with their declared parameters', async () => {
    const { status, body } = await ask<IJob[]>('GET', 'jobs');
    expect(status).toBe(200);
    expect(body.map(({ name }) => name)).toEqual(['archiveOrders', 'importOrders']);
    expect((await ask<IJob>('GET', 'jobs/importOrders')).body).toMatchObject({
      restartable: true,
      hasNextInstance: false,
      parameters: [{ name: 'file', type: 'file', required: true, identifying: true }],
    });
  });

  it('run: the execution tells its steps, counters and skipped items', async () => {
    const file = await orders();
    const { status, location, body } = await start({ file });
    expect([status, location]).toEqual([201, `/api/v1/job-executions/${body.id}`]);
    expect(body).toMatchObject({ job: 'importOrders', parameters: { file: { value: file, identifying: true } } });

    const execution = await ended(body.id);
    expect(execution).toMatchObject({ status: 'COMPLETED', exitCode: 'COMPLETED', interrupted: false });
    expect(execution.steps.map(({ name }) => name)).toEqual(['prepare', 'load']);
    expect(execution.steps[1]).toMatchObject({ readCount: 5, writeCount: 3, readSkipCount: 1, writeSkipCount: 2 });
    expect(execution.steps.map(({ progress }) => progress)).toEqual([1, 1]);

    const path = `job-executions/${body.id}/skipped-items`;
    const first = (await ask<IPage<ISkippedItem>>('GET', `${path}?limit=2`)).body;
    const rest = (await ask<IPage<ISkippedItem>>('GET', `${path}?limit=2&cursor=${first.nextCursor}`)).body;
    const skipped = [...first.items, ...rest.items];
    expect(skipped.map(({ phase, error }) => `${phase} ${error}`).sort()).toEqual([
      'read FlatFileParseError',
      'write DatabaseError',
      'write DatabaseError',
    ]);
    expect(skipped.find(({ message }) => message.includes('amount_check'))?.item).toContain('A-4');
    expect(rest.nextCursor).toBeUndefined();

    const listed = (await ask<IPage<IJobExecution>>('GET', 'jobs/importOrders/executions?limit=1')).body;
    expect(listed.items.map(({ id }) => id)).toEqual([body.id]);
    expect((await ask<IPage<IJobExecution>>('GET', 'job-executions')).body.items).toContainEqual(listed.items[0]);
    expect((await ask<IJob>('GET', 'jobs/importOrders')).body.lastExecution?.id).toBe(body.id);
  });

  it('copy the orders of a time from table to table', async () => {
    await ended((await start({ file: await orders() })).body.id);
    const { body } = await start({ before: '2026-03-01' }, 'archiveOrders');
    expect(await ended(body.id)).toMatchObject({ status: 'COMPLETED' });
    const { rows } = await service.database.client.query('select order_no from example_archive.orders order by 1');
    expect(rows).toEqual([{ order_no: 'A-1' }, { order_no: 'A-2' }]);
  });

  it('that have failed are restarted, and abandoned', async () => {
    const file = await orders(BAD_HEADER);
    const first = await ended((await start({ file })).body.id);
    expect(first).toMatchObject({
      status: 'FAILED',
      exitDescription: `FLAT_FILE_HEADER_INVALID: Line 1 of "${file}" names the columns, and names the column "order_no" twice`,
    });
    await rm(file);
    expect(await ask('POST', `job-executions/${first.id}/restarts`)).toMatchObject({
      status: 400,
      body: { code: 'INVALID_JOB_PARAMETERS', detail: expect.stringContaining(file) as string },
    });
    expect((await ask<IJob>('GET', 'jobs/importOrders')).body.lastExecution?.id).toBe(first.id);
    await writeFile(file, ORDERS.slice(0, 3).join('\n'));
    const again = await ask<IJobExecution>('POST', `job-executions/${first.id}/restarts`);
    expect([again.status, again.body.instanceId]).toEqual([201, first.instanceId]);
    const second = await ended(again.body.id);
    expect([second.status, second.steps.map(({ name }) => name)]).toEqual(['COMPLETED', ['load']]);

    const lost = await ended((await start({ file: await orders(BAD_HEADER) })).body.id);
    const abandoned = await ask<IJobExecution>('POST', `job-executions/${lost.id}/abandonments`);
    expect([abandoned.status, abandoned.body.status]).toEqual([200, 'ABANDONED']);
    expect(await ask('POST', `job-executions/${lost.id}/restarts`)).toMatchObject({
      status: 409,
      body: { code: 'JOB_INSTANCE_ALREADY_COMPLETE' },
    });
    const { rows } = await service.database.client.query<{ act: string; details: object }>(
      `select act, details from batch.audit where subject_kind = 'job' and subject = $1 order by id`,
      [lost.id],
    );
    expect(rows).toEqual(['start', 'abandon'].map((act) => ({ act, details: { job: 'importOrders' } })));
  });

  it.each<[what: string, method: string, path: string, body: unknown, status: number, code: string, text: RegExp]>([
    ['an unknown job', 'POST', 'jobs/nothing/executions', {}, 404, 'NO_SUCH_JOB', /archiveOrders, importOrders/],
    ['no file', 'POST', 'jobs/importOrders/executions', {}, 400, 'INVALID_JOB_PARAMETERS', /"file" .* missing/],
    [
      'an unknown parameter',
      'POST',
      'jobs/importOrders/executions',
      { parameters: { file: 'a', size: 1 } },
      400,
      'INVALID_JOB_PARAMETERS',
      /no parameter "size"; it has: file/,
    ],
    [
      'a file that is not there',
      'POST',
      'jobs/importOrders/executions',
      { parameters: { file: '/nowhere/orders.csv' } },
      400,
      'INVALID_JOB_PARAMETERS',
      /"file" must be a file that can be read: ENOENT.*nowhere/,
    ],
    [
      'a malformed date',
      'POST',
      'jobs/archiveOrders/executions',
      { parameters: { before: '1.3.2026' } },
      400,
      'INVALID_JOB_PARAMETERS',
      /"before" must be a time in ISO 8601/,
    ],
    [
      'a parameter that is a list',
      'POST',
      'jobs/importOrders/executions',
      { parameters: { file: [] } },
      400,
      'INVALID_REQUEST',
      /"file" must be a text/,
    ],
    ['a body that is a list', 'POST', 'jobs/importOrders/executions', [], 400, 'INVALID_REQUEST', /must be an object/],
    ['an unknown field', 'POST', 'jobs/importOrders/executions', { file: 'a' }, 400, 'INVALID_REQUEST', /"file"/],
    [
      'the next of a job without one',
      'POST',
      'jobs/importOrders/executions',
      { nextInstance: true },
      409,
      'JOB_RESTART_REFUSED',
      /incrementer/,
    ],
    ['an unknown execution', 'GET', 'job-executions/999999', undefined, 404, 'NO_SUCH_JOB_EXECUTION', /999999/],
    [
      'its skipped items',
      'GET',
      'job-executions/999999/skipped-items',
      undefined,
      404,
      'NO_SUCH_JOB_EXECUTION',
      /999999/,
    ],
    ['no id', 'GET', 'job-executions/one', undefined, 400, 'INVALID_REQUEST', /must be a number/],
    [
      'a stop of an unknown execution',
      'POST',
      'job-executions/999999/stops',
      undefined,
      404,
      'NO_SUCH_JOB_EXECUTION',
      /999999/,
    ],
  ])('refuse %s, and store nothing', async (_, method, path, body, status, code, text) => {
    const count = async (): Promise<unknown> =>
      (await service.database.client.query('select count(*) from batch.job_instances')).rows;
    const before = await count();
    expect(await ask(method, path, body)).toMatchObject({
      status,
      body: { code, detail: expect.stringMatching(text) as string },
    });
    expect(await count()).toEqual(before);
  });

  it('refuse a second run of a complete instance, and a stop of it', async () => {
    const file = await orders();
    const { id } = await ended((await start({ file })).body.id);
    expect(await start({ file })).toMatchObject({ status: 409, body: { code: 'JOB_INSTANCE_ALREADY_COMPLETE' } });
    expect(await ask('POST', `job-executions/${id}/stops`)).toMatchObject({
      status: 409,
      body: { code: 'JOB_NOT_RUNNING' },
    });
    expect(await ask('POST', `job-executions/${id}/abandonments`)).toMatchObject({
      status: 409,
      body: { code: 'JOB_INSTANCE_ALREADY_COMPLETE' },
    });
  });

  it('that a process of role api starts are run by a worker', async () => {
    const api = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api' });
    try {
      const { body } = await start({ file: await orders() }, 'importOrders', api.url);
      expect(body.status).toBe('STARTING');
      const again = await start({ file: body.parameters.file!.value }, 'importOrders', api.url);
      expect(again).toMatchObject({ status: 409, body: { code: 'JOB_ALREADY_RUNNING' } });
      const worker = await startTestApp({ BATCH_ROLE: 'worker' }, { database: api.database });
      try {
        await expect
          .poll(
            async () => (await ask<IJobExecution>('GET', `job-executions/${body.id}`, undefined, api.url)).body.status,
            {
              timeout: 10_000,
            },
          )
          .toBe('COMPLETED');
        // Nobody but the worker knows whether it has a file.
        const { body: lacking } = await start({ file: join(folder, 'not there.csv') }, 'importOrders', api.url);
        expect(lacking.status).toBe('STARTING');
        const read = async (): Promise<IJobExecutionDetail> =>
          (await ask<IJobExecutionDetail>('GET', `job-executions/${lacking.id}`, undefined, api.url)).body;
        await expect.poll(async () => (await read()).status, { timeout: 10_000 }).toBe('FAILED');
        expect(await read()).toMatchObject({
          exitDescription: expect.stringMatching(/^INVALID_JOB_PARAMETERS: .*not there.csv/) as string,
          steps: [],
        });
      } finally {
        await worker.close();
      }
    } finally {
      await api.close();
    }
  });
});

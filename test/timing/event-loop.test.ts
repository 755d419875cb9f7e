import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IStats } from '../../src/interfaces/stats.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { testEnvironment } from '../support/test-settings.js';

const MOST = 10_000;
/** Of what is measured, so many in a hundred are within the bound. */
const SHARE = 0.99;
const BOUND_MS = 250;
const PAUSE_MS = 5;

const SCHEMA = `
  create table account (id int8 primary key, email text unique, n int, parent_id int8 references account, amount numeric);
  insert into account (id, email) select i, 'e' || i from generate_series(0, ${MOST}) i;`;

type Operation = Record<string, unknown>;

const times = (make: (index: number) => Operation): Operation[] => Array.from({ length: MOST }, (_, i) => make(i));
const update = (key: Operation, values: Operation): Operation => ({
  operationType: 'update',
  target: 'account',
  key,
  values,
});
const rename = (i: number): Operation => update({ email: `e${i}` }, { email: `e${i + 1}` });
const increment = (i: number, values: Operation): Operation => ({
  operationType: 'increment',
  target: 'account',
  key: { id: i },
  values,
});
const insert = (values: Operation): Operation => ({ operationType: 'insert', target: 'account', values });

/** As many operations as the service takes in one request: ten chunks. */
const REQUESTS: Record<string, () => Operation[]> = {
  'a chain of renames': () => times(rename),
  'a chain of renames from its end': () => times(rename).reverse(),
  'ids renamed in a chain': () => times((i) => update({ id: i }, { id: i + 1, email: `f${i}` })),
  'one row with ever another value': () => times((i) => update({ id: 1 }, { email: `g${i}`, parent_id: i })),
  'rows that refer to the row before': () => times((i) => insert({ id: MOST + i + 1, parent_id: MOST + i })),
  'unknown columns': () => times((i) => insert({ [`column${i}`]: i })),
  'long numbers': () => times((i) => increment(i, { amount: '9'.repeat(200) })),
  'numbers of a million digits': () =>
    Array.from({ length: 3 }, (_, i) => increment(i, { amount: '9'.repeat(1_000_000) })),
  'wide values': () => times((i) => insert({ id: -i, email: 'x'.repeat(200) })),
};

let database: TestDatabase;
let service: ServiceProcess;
let url: string;

beforeAll(async () => {
  database = await createTestDatabase();
  await database.client.query(SCHEMA);
  const port = String(await freePort());
  url = `http://127.0.0.1:${port}`;
  service = await startServiceProcess({
    environment: testEnvironment({
      ...database.environment,
      LOG_LEVEL: 'info',
      BATCH_SERVICE_RMQ_URL: '',
      BATCH_RPC_TCP_PORT: String(await freePort()),
      REDIS_URL: '',
      HTTP_PORT: port,
      BATCH_PLAN_OPERATION_LIMIT: String(MOST),
      BATCH_PROCESS_OPERATION_INTERVAL: '50',
    }),
  });
  await service.up();
});
afterAll(async () => {
  await service?.end();
  await database?.drop();
});

function post(path: string, body: string): Promise<Response> {
  return fetch(`${url}/api/v1/operations/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
}

/** How long `/health/live` took, again and again, until the work was done. */
async function liveDuring(work: () => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  let done = false;
  const working = work().finally(() => (done = true));
  while (!done) {
    const startedAt = performance.now();
    const response = await fetch(`${url}/health/live`);
    await response.arrayBuffer();
    took.push(performance.now() - startedAt);
    expect(response.status).toBe(200);
    await delay(PAUSE_MS);
  }
  await working;
  return took.sort((a, b) => a - b);
}

/** True when everything has been executed. */
async function isIdle(): Promise<boolean> {
  const response = await fetch(`${url}/api/v1/stats`);
  return ((await response.json()) as IStats).pending === 0;
}

describe('/health/live of a process that is api and worker', () => {
  it.each(Object.entries(REQUESTS))(
    'answers within 250 ms in 99 of 100 cases while it plans, takes in and executes %s',
    // The processor may be busy with something else.
    { timeout: 120_000, retry: 1 },
    async (_, make) => {
      const body = JSON.stringify({ operations: make() });
      const took = await liveDuring(async () => {
        const planned = await post('plan', body);
        expect([200, 413]).toContain(planned.status);
        await planned.arrayBuffer();
        const taken = await post('bulk', body);
        expect(taken.status).toBe(200);
        await taken.arrayBuffer();
        await eventually(async () => expect(await isIdle()).toBe(true), { timeoutMs: 90_000, intervalMs: 200 });
      });
      expect(took[Math.floor(took.length * SHARE)]).toBeLessThan(BOUND_MS);
    },
  );
});

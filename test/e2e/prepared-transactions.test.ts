import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeId } from '../../src/client/make-id.js';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/services/database/embedded-postgres.js';
import { migrate } from '../../src/services/database/migrate.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { clientOptions, databaseEnvironment } from '../support/test-databases.js';
import { testEnvironment, testSettings } from '../support/test-settings.js';

/** A prepared transaction keeps its locks, and no session belongs to it. A server has to be told to allow them. */
let folder: string;
let postgres: EmbeddedPostgres;
let client: pg.Client;
let service: ServiceProcess;
let url: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'batch-prepared-'));
  const withoutThem = await startEmbeddedPostgres(folder, 'prepared');
  const administrator = new pg.Client(clientOptions({ ...withoutThem, database: 'prepared' }));
  await administrator.connect();
  await administrator.query('alter system set max_prepared_transactions = 5');
  await administrator.end();
  // The setting takes effect with the next start of the server.
  await withoutThem.stop();
  postgres = await startEmbeddedPostgres(folder);
  const connection = { ...postgres, database: 'prepared' };
  client = new pg.Client(clientOptions(connection));
  await client.connect();

  const environment = { ...databaseEnvironment(connection), REDIS_URL: '', BATCH_SERVICE_RMQ_URL: '' };
  await migrate(testSettings(environment));
  await client.query(`create table orders (id int primary key);
    create table places (id int primary key);
    create table visits (id int primary key)`);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  service = await startServiceProcess({
    environment: {
      ...testEnvironment(environment),
      HTTP_PORT: String(port),
      BATCH_RPC_TCP_PORT: String(await freePort()),
      BATCH_PROCESS_OPERATION_INTERVAL: '50',
      BATCH_LOCK_TIMEOUT: '60000',
      LOG_LEVEL: 'info',
    },
  });
  await service.up();
}, 120_000);
afterAll(async () => {
  await service?.end();
  await client?.end();
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

async function create(target: string, id: number): Promise<string> {
  const response = await fetch(`${url}/api/v1/operations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ operationType: 'insert', target, values: { id } }),
  });
  return ((await response.json()) as { id: string }).id;
}

const operation = async (path: string): Promise<IBatchOperation> =>
  (await fetch(`${url}/api/v1/operations/${path}`)).json() as Promise<IBatchOperation>;

const waits = (id: string, reason: object): Promise<IBatchOperation> =>
  eventually(
    async () => {
      const found = await operation(id);
      expect(found.waiting?.reason).toMatchObject(reason);
      return found;
    },
    { timeoutMs: 15_000 },
  );

/** The statement of the runbook. */
async function prepared(): Promise<string[]> {
  const { rows } = await client.query<{ gid: string }>('select gid, prepared, owner from pg_prepared_xacts');
  return rows.map(({ gid }) => gid).sort();
}

/** Runs the cure that the reason names. */
const mend = (text: string): Promise<unknown> => client.query(/ROLLBACK PREPARED '(?:[^']|'')+'/.exec(text)![0]);

const forgotten = {
  pid: 0,
  gid: "it's forgotten",
  user: expect.any(String) as string,
  preparedAt: expect.stringMatching(/Z$/) as string,
};

it('is named as the holder of a lock, and the lane goes on when it is rolled back', { timeout: 60_000 }, async () => {
  // It locks the same table, and nobody waits for it.
  await client.query(`begin; lock table orders in access share mode; prepare transaction 'innocent'`);
  await client.query(
    `begin; savepoint a; lock table orders in share mode; release savepoint a; prepare transaction 'it''s forgotten'`,
  );
  const id = await create('orders', 1);
  const { waiting } = await waits(id, { kind: 'lock', relation: 'public.orders' });
  expect(waiting!.reason).toMatchObject({ holders: [forgotten] });
  expect(waiting!.text).toMatch(
    /The prepared transaction 'it''s forgotten' of user \w+ holds it; it was prepared at \d{4}-\S+Z\./,
  );
  await service.said(/Lane is blocked by a lock[\s\S]*public\.orders[\s\S]*it's forgotten/);

  expect(await prepared()).toEqual(['innocent', "it's forgotten"]);
  await mend(waiting!.text);
  expect(await operation(`${id}?wait=10000`)).toMatchObject({ status: 'completed' });
  await service.said(/Lane no longer waits for a lock/);
  expect(await prepared()).toEqual(['innocent']);
  await client.query(`rollback prepared 'innocent'`);
});

it('is named where it holds the lock of a row', { timeout: 60_000 }, async () => {
  await client.query(`begin; insert into orders values (50); prepare transaction 'a row'`);
  const id = await create('orders', 50);
  const { waiting } = await waits(id, { kind: 'lock' });
  expect(waiting!.reason).toMatchObject({ holders: [{ pid: 0, gid: 'a row' }] });
  await mend(waiting!.text);
  expect(await operation(`${id}?wait=10000`)).toMatchObject({ status: 'completed' });
});

it('is named as the one that keeps tables from their new lane', { timeout: 60_000 }, async () => {
  for (const target of ['places', 'visits']) {
    expect(await operation(`${await create(target, 1)}?wait=10000`)).toMatchObject({ status: 'completed' });
  }
  const { rows } = await client.query<{ target: string }>(
    `select target from batch.lanes where target in ('public.places', 'public.visits') order by lane desc`,
  );
  // The lower lane is kept.
  const [moved, kept] = rows.map(({ target }) => target.slice('public.'.length)) as [string, string];
  await client.query('begin; set local batch.notify = off');
  const inTransaction = makeId();
  await client.query('select batch.create_operation($1)', [
    { id: inTransaction, operationType: 'insert', target: moved, values: { id: 2 } },
  ]);
  await client.query(`prepare transaction 'half done'`);
  await client.query('alter table visits add constraint tied foreign key (id) references places not valid');
  const id = await create(kept, 3);
  const { waiting } = await waits(id, { kind: 'open_transaction', targets: [`public.${moved}`] });
  expect(waiting!.reason).toMatchObject({ holders: [{ pid: 0, gid: 'half done' }] });
  expect(waiting!.text).toContain("COMMIT PREPARED 'half done'");

  expect(await prepared()).toEqual(['half done']);
  await client.query(`commit prepared 'half done'`);
  for (const each of [id, inTransaction])
    expect((await operation(`${each}?wait=10000`)).status).toMatch(/^(completed|failed)$/);
});

it('cannot have created operations that notify: PostgreSQL refuses it, and nothing of it is stored', async () => {
  const id = makeId();
  await client.query('begin');
  await client.query('select batch.create_operation($1)', [
    { id, operationType: 'insert', target: 'orders', values: { id: 2 } },
  ]);
  await expect(client.query(`prepare transaction 'operations'`)).rejects.toMatchObject({ code: '0A000' });
  expect(await prepared()).toEqual([]);
  expect((await fetch(`${url}/api/v1/operations/${id}`)).status).toBe(404);
});

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../../src/services/database/migrate.js';
import { startOwnPostgres, type OwnPostgres } from '../chaos/servers/own-postgres.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { clientOptions, databaseEnvironment, onDatabase, type DatabaseConnection } from '../support/test-databases.js';
import { testEnvironment, testSettings } from '../support/test-settings.js';

const CALLERS = 4;
const TRANSACTIONS = 1000;
const FAULTS = 24;
const CALLER = join(import.meta.dirname, '../support/sql-caller.mjs');

/** Goes through its part of the transactions, and goes on with the next one when it is killed. */
class Caller {
  private child: ChildProcess | undefined;
  private next: number;
  readonly done: Promise<void>;

  constructor(
    private readonly database: DatabaseConnection,
    from: number,
    private readonly to: number,
    private readonly outside: boolean,
  ) {
    this.next = from;
    this.done = this.work();
  }

  kill(): void {
    this.child?.kill('SIGKILL');
  }

  private async work(): Promise<void> {
    while (this.next < this.to) {
      const environment = {
        PATH: process.env.PATH,
        DATABASE: JSON.stringify({ ...clientOptions(this.database), password: this.database.password }),
        FROM: String(this.next),
        TO: String(this.to),
        ...(this.outside && { OUTSIDE: 'true' }),
      };
      this.child = spawn(process.execPath, [CALLER], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
      createInterface(this.child.stdout!).on('line', (line) => (this.next = Number(line) + 1));
      await once(this.child, 'close');
    }
  }
}

describe('operations that are created in SQL, while processes are killed', () => {
  let server: OwnPostgres;
  beforeAll(async () => {
    server = await startOwnPostgres();
  }, 120_000);
  afterAll(async () => {
    await server?.stop();
  });

  async function prepare(): Promise<DatabaseConnection> {
    const database = await server.createDatabase();
    await migrate(testSettings({ ...databaseEnvironment(database), REDIS_URL: '', BATCH_SERVICE_RMQ_URL: '' }));
    await onDatabase(database, (client) =>
      client.query(`
        create table orders (id int primary key);
        create table effects (id int primary key, n int not null);
        create table counters (id int primary key, n int not null);
        insert into counters select n, 0 from generate_series(0, 9) n`),
    );
    return database;
  }

  const startWorker = async (database: DatabaseConnection): Promise<ServiceProcess> =>
    startServiceProcess({
      environment: {
        ...testEnvironment({ ...databaseEnvironment(database), REDIS_URL: '', BATCH_SERVICE_RMQ_URL: '' }),
        BATCH_ROLE: 'worker',
        BATCH_WORKER_HEALTH_PORT: String(await freePort()),
        LOG_LEVEL: 'info',
      },
    });

  /** What differs from one by one: for each committed order its effect, once, and nothing for the others. */
  const violations = async (database: DatabaseConnection): Promise<object> =>
    onDatabase(database, async (client: pg.Client) => {
      const { rows } = await client.query<object>(`
        select
          (select count(*)::int from orders) as orders,
          (select count(*)::int from orders o left join effects e using (id) where e.n is distinct from 1) as lost,
          (select count(*)::int from effects e left join orders o using (id) where o.id is null) as "withoutOrder",
          (select sum(n)::int from counters) - (select count(*)::int from orders) as "tooMany",
          (select count(*)::int from batch.batch_operations where status <> 'completed') as "notCompleted"`);
      return rows[0]!;
    });

  const settled = (database: DatabaseConnection): Promise<void> =>
    eventually(
      () =>
        onDatabase(database, async (client: pg.Client) => {
          expect((await client.query('select from batch.pending')).rowCount).toBe(0);
        }),
      { timeoutMs: 30_000 },
    );

  it('are applied once if their transaction was committed, and never otherwise', async () => {
    const database = await prepare();
    let worker = await startWorker(database);
    const share = TRANSACTIONS / CALLERS;
    const callers = Array.from(
      { length: CALLERS },
      (_, index) => new Caller(database, index * share, (index + 1) * share, false),
    );
    const done = Promise.all(callers.map((caller) => caller.done));
    for (let fault = 0; fault < FAULTS; fault += 1) {
      await delay(150 + Math.random() * 200);
      if (fault % 8 === 7) {
        await server.crash();
        await server.restart();
      } else if (fault % 2 === 0) {
        callers[fault % CALLERS]!.kill();
      } else {
        await worker.end();
        worker = await startWorker(database);
      }
    }
    await done;
    await settled(database);
    const found = await violations(database);
    await worker.end();
    expect(found).toEqual({
      orders: expect.any(Number) as number,
      lost: 0,
      withoutOrder: 0,
      tooMany: 0,
      notCompleted: 0,
    });
    expect((found as { orders: number }).orders).toBeGreaterThan(TRANSACTIONS / 3);
  }, 180_000);

  it('would be applied without their order if they were created in another transaction', async () => {
    const database = await prepare();
    const worker = await startWorker(database);
    await new Caller(database, 0, 30, true).done;
    await settled(database);
    const found = await violations(database);
    await worker.end();
    expect(found).toEqual({ orders: 20, lost: 0, withoutOrder: 10, tooMany: 10, notCompleted: 0 });
  }, 60_000);
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../../src/services/database/migrate.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startPrimaryAndStandby, type PrimaryAndStandby } from '../support/primary-and-standby.js';
import { startPgBouncer, type PgBouncer } from '../support/services/pgbouncer.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { databaseEnvironment, onDatabase, type DatabaseConnection } from '../support/test-databases.js';
import { testEnvironment, testSettings } from '../support/test-settings.js';

/** What the service sends with each connection, and sets again itself: see docs/postgresql.md. */
const IGNORED = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'];
const OPERATIONS = 300;
const ROWS = 7;
const UNSTEADY = 60_000;

describe('a service whose database is not reached directly', () => {
  let servers: PrimaryAndStandby;
  const processes: ServiceProcess[] = [];
  beforeAll(async () => {
    servers = await startPrimaryAndStandby(['wal_level = replica']);
    await migrate(testSettings(environmentFor(servers.primary)));
    await onDatabase(servers.primary, (client) =>
      client.query(`
        create table counters (id int primary key, n int not null);
        insert into counters select n, 0 from generate_series(0, ${ROWS - 1}) n`),
    );
  }, 180_000);
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((process) => process.end()));
  });
  afterAll(async () => {
    await servers?.stop();
  });

  const environmentFor = (database: DatabaseConnection): Record<string, string> => ({
    ...testEnvironment({ ...databaseEnvironment(database), REDIS_URL: '', BATCH_SERVICE_RMQ_URL: '' }),
  });

  async function start(database: DatabaseConnection, settings: Record<string, string> = {}): Promise<Callers> {
    const port = await freePort();
    const service = await startServiceProcess({
      environment: {
        ...environmentFor(database),
        HTTP_PORT: String(port),
        BATCH_RPC_TCP_PORT: String(await freePort()),
        BATCH_PROCESS_OPERATION_INTERVAL: '200',
        LOG_LEVEL: 'info',
        ...settings,
      },
    });
    processes.push(service);
    await service.up();
    return new Callers(`http://127.0.0.1:${port}/api/v1/operations`);
  }

  const sumOf = (database: DatabaseConnection): Promise<number> =>
    onDatabase(database, async (client) =>
      Number((await client.query<{ sum: string }>('select sum(n) from counters')).rows[0]!.sum),
    );

  describe('behind PgBouncer', () => {
    let pooler: PgBouncer | undefined;
    afterEach(async () => {
      await pooler?.stop();
      pooler = undefined;
    });

    it(
      'works in session mode, and goes on after PgBouncer was restarted',
      async () => {
        pooler = await startPgBouncer(servers.primary, { poolMode: 'session', ignoredSettings: IGNORED });
        const before = await sumOf(servers.primary);
        const callers = await start(pooler.database);

        await callers.createAll(0, OPERATIONS / 2);
        await pooler.kill();
        await pooler.restart();
        await callers.createAll(OPERATIONS / 2, OPERATIONS);

        await callers.allCompleted(OPERATIONS);
        expect(await sumOf(servers.primary)).toBe(before + OPERATIONS);
      },
      UNSTEADY,
    );

    it(
      'finds at once what is created in SQL, in session mode',
      async () => {
        pooler = await startPgBouncer(servers.primary, { poolMode: 'session', ignoredSettings: IGNORED });
        const callers = await start(pooler.database, { BATCH_PROCESS_OPERATION_INTERVAL: '3600000' });
        const request = { operationType: 'increment', target: 'counters', key: { id: 0 }, values: { n: 1 } };

        const id = await onDatabase(pooler.database, async (client) => {
          const { rows } = await client.query<{ id: string }>(`select batch.create_operation($1::jsonb)->>'id' as id`, [
            JSON.stringify(request),
          ]);
          return rows[0]!.id;
        });

        await eventually(async () => expect((await callers.get(id)).status).toBe('completed'), { timeoutMs: 10_000 });
      },
      UNSTEADY,
    );

    it(
      'says why it does not start, if PgBouncer refuses its settings',
      async () => {
        pooler = await startPgBouncer(servers.primary, {
          poolMode: 'session',
          ignoredSettings: ['extra_float_digits'],
        });

        await expect(start(pooler.database)).rejects.toThrow(/connection pooler .* refuses the connection/);
      },
      UNSTEADY,
    );

    it.each(['transaction', 'statement'] as const)(
      'refuses to start in %s mode',
      async (poolMode) => {
        pooler = await startPgBouncer(servers.primary, { poolMode, ignoredSettings: IGNORED });

        await expect(start(pooler.database)).rejects.toThrow(/A connection pooler in transaction mode is on/);
      },
      UNSTEADY,
    );

    it.each(['transaction', 'statement'] as const)(
      'lets callers create operations in SQL in %s mode',
      async (poolMode) => {
        pooler = await startPgBouncer(servers.primary, { poolMode, ignoredSettings: IGNORED });
        const callers = await start(servers.primary);
        const before = await sumOf(servers.primary);
        const request = { operationType: 'increment', target: 'counters', key: { id: 1 }, values: { n: 1 } };

        const id = await onDatabase(pooler.database, async (client) => {
          const { rows } = await client.query<{ id: string }>(`select batch.create_operation($1::jsonb)->>'id' as id`, [
            JSON.stringify(request),
          ]);
          return rows[0]!.id;
        });

        await eventually(async () => expect((await callers.get(id)).status).toBe('completed'), { timeoutMs: 10_000 });
        expect(await sumOf(servers.primary)).toBe(before + 1);
      },
      UNSTEADY,
    );
  });

  describe('with a primary that is lost', () => {
    let proxy: TcpProxy;
    afterAll(async () => {
      await proxy?.close();
    });

    it('loses and doubles nothing when a synchronous standby takes over', async () => {
      const { primary, standby } = servers;
      const address = { host: primary.host, port: primary.port };
      proxy = await startTcpProxy(address);
      await onDatabase(primary, async (client) => {
        await client.query(`alter system set synchronous_standby_names = '*'`);
        await client.query('select pg_reload_conf()');
        await eventually(async () => {
          const { rows } = await client.query('select from pg_stat_replication where sync_state = $1', ['sync']);
          expect(rows).toHaveLength(1);
        });
      });
      const before = await sumOf(primary);
      const callers = await start({ ...primary, host: proxy.host, port: proxy.port });

      const creating = callers.createAll(0, OPERATIONS);
      await callers.created(OPERATIONS / 3);
      await servers.crashPrimary();
      proxy.refuse();
      await onDatabase(standby, (client) => client.query('select pg_promote(true, 60)'));
      address.port = standby.port;
      proxy.accept();

      await creating;
      await callers.allCompleted(OPERATIONS);
      expect(await sumOf(standby)).toBe(before + OPERATIONS);
    }, 120_000);
  });
});

/** Callers that repeat a request with the same id until it is answered, as the client does. */
class Callers {
  private readonly ids: string[] = [];
  private readonly watchers = new Set<() => void>();

  constructor(private readonly url: string) {}

  async createAll(from: number, to: number): Promise<void> {
    for (let index = from; index < to; index += 1) {
      const id = crypto.randomUUID();
      const key = { id: index % ROWS };
      await this.untilAnswered({ id, operationType: 'increment', target: 'counters', key, values: { n: 1 } });
      this.ids.push(id);
      for (const watch of this.watchers) watch();
    }
  }

  created(count: number): Promise<void> {
    return new Promise((resolve) => {
      const watch = (): void => {
        if (this.ids.length < count) return;
        this.watchers.delete(watch);
        resolve();
      };
      this.watchers.add(watch);
      watch();
    });
  }

  async get(id: string): Promise<{ status: string }> {
    return (await fetch(`${this.url}/${id}`)).json() as Promise<{ status: string }>;
  }

  async allCompleted(count: number): Promise<void> {
    expect(this.ids).toHaveLength(count);
    for (const id of this.ids) {
      await eventually(async () => expect((await this.get(id)).status).toBe('completed'), { timeoutMs: 30_000 });
    }
  }

  private untilAnswered(request: object): Promise<void> {
    const body = JSON.stringify(request);
    const headers = { 'content-type': 'application/json' };
    return eventually(
      async () => {
        const { status } = await fetch(this.url, { method: 'POST', headers, body });
        expect([200, 201, 202]).toContain(status);
      },
      { timeoutMs: 60_000 },
    );
  }
}

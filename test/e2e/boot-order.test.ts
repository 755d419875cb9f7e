import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Readiness } from '../../src/services/health/health.service.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startServiceInProcess, type ServiceInProcess } from '../support/service-in-process.js';
import { startServiceProcess, type ServiceProcess, type ServiceProcessOptions } from '../support/service-process.js';
import { errorResponse, startStartingServer } from '../support/starting-server.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { testEnvironment, type TestEnvironment } from '../support/test-settings.js';

/** Whatever comes up first. */
describe('a start', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let environment: TestEnvironment & { HTTP_PORT: string };
  const processes: ServiceProcess[] = [];
  const inProcess: ServiceInProcess[] = [];

  beforeEach(async () => {
    database = await createTestDatabase();
    proxy = await startTcpProxy(database.connection);
    environment = {
      ...testEnvironment(database.environment),
      DB_HOST: proxy.host,
      DB_PORT: String(proxy.port),
      HTTP_PORT: String(await freePort()),
      LOG_LEVEL: 'info',
    };
  });
  afterEach(async () => {
    await Promise.all([...processes.splice(0), ...inProcess.splice(0)].map((service) => service.end()));
    await proxy.close();
    await database.drop();
  });

  async function start(
    overrides: TestEnvironment = {},
    options: Partial<ServiceProcessOptions> = {},
  ): Promise<ServiceProcess> {
    const service = await startServiceProcess({ environment: { ...environment, ...overrides }, ...options });
    processes.push(service);
    return service;
  }

  /** For what a start says and decides, which takes no process. */
  function startHere(overrides: TestEnvironment = {}): ServiceInProcess {
    const service = startServiceInProcess({ ...environment, ...overrides });
    inProcess.push(service);
    return service;
  }

  async function readiness(): Promise<Readiness> {
    const response = await fetch(`http://127.0.0.1:${environment.HTTP_PORT}/health/ready`);
    return (await response.json()) as Readiness;
  }

  describe('before the database', () => {
    it('waits for it, and says so with every attempt', async () => {
      proxy.refuse();
      const service = await start();
      await service.said(/Attempt 1 to connect failed.*does not answer.*DB_HOST/);
      await service.said(/Attempt 2 to connect failed/);

      proxy.accept();

      await service.up();
      expect((await readiness()).parts.database).toEqual({ status: 'up' });
    });

    it('waits for one that accepts, but stays silent', async () => {
      proxy.stall();
      const service = startHere();
      await service.said(/Attempt 1 to connect failed.*does not answer.*DB_HOST/);

      proxy.accept();

      await service.up;
      expect((await readiness()).parts.database).toEqual({ status: 'up' });
    });

    it('waits for one that is only starting', async () => {
      const server = await startStartingServer(database.connection, 1);
      const service = startHere({ DB_PORT: String(server.port) });

      await service.said(/Attempt 1 to connect failed.*the database system is starting up/);
      await service.up;

      await service.end();
      await server.close();
    });

    it('waits for it to migrate as well', async () => {
      proxy.refuse();
      const migration = await start({}, { program: 'migrate' });
      await migration.said(/Attempt 1 to connect failed/);

      proxy.accept();

      expect(await migration.exited).toBe(0);
      expect(migration.output).toContain('No migration was missing');
    });

    it('gives up when that takes too long, and says what to check', async () => {
      proxy.refuse();
      const service = startHere({ DB_WAIT_TIMEOUT: '1900' });

      expect(await service.refused()).toMatch(/^PostgreSQL on .* does not answer .*DB_HOST/);
      expect(service.output.match(/Attempt \d/g)).toEqual(['Attempt 1', 'Attempt 2']);
    });

    it('does not wait for a fault that waiting cannot cure', async () => {
      const service = startHere({ DB_NAME: 'no_such_database' });

      expect(await service.refused()).toContain('DB_NAME');
      expect(service.output).not.toContain('Attempt');
    });

    it('does not wait for a pooler that takes no settings', async () => {
      const message = 'unsupported startup parameter: lock_timeout';
      const server = await refusingServer(errorResponse({ S: 'FATAL', V: 'FATAL', C: '08P01', M: message }));
      const service = startHere({ DB_PORT: String((server.address() as AddressInfo).port) });

      expect(await service.refused()).toMatch(
        /A connection pooler .* refuses the connection \(unsupported startup parameter/,
      );
      expect(service.output).not.toContain('Attempt');
      server.close();
    });

    it('ends at once when it is told to stop', async () => {
      proxy.refuse();
      const service = await start();
      await service.said(/Attempt 1 to connect failed/);
      const toldAt = performance.now();

      service.signal('SIGTERM');

      expect(await service.exited).toBe(1);
      expect(performance.now() - toldAt).toBeLessThan(5000);
    });
  });

  it('before the broker serves all the same, is not ready, and connects when the broker is there', async () => {
    const url = new URL(environment.BATCH_SERVICE_RMQ_URL!);
    const broker = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
    broker.refuse();
    const service = startHere({ BATCH_SERVICE_RMQ_URL: broker.through(url.href) });
    await service.up;
    expect(await readiness()).toMatchObject({ status: 'not_ready', parts: { rabbitmq: { status: 'down' } } });

    broker.accept();

    await eventually(async () => expect((await readiness()).status).toBe('ready'));
    await service.end();
    await broker.close();
  });

  it('is refused on a database that a newer version has migrated, and says which migrations those are', async () => {
    await database.client.query(`insert into batch.migrations (timestamp, name) values (9, 'AddFuture9')`);
    const told = new RegExp(`"${database.name}" .* newer version .*AddFuture9.*start that version`);
    const migration = await start({}, { program: 'migrate' });

    expect(await startHere().refused()).toMatch(told);
    expect(await migration.exited).toBe(1);
    expect(migration.output).toMatch(told);
    expect(migration.output).not.toMatch(/^\s+at /m);
  });

  it('is refused on a PostgreSQL that is too old', async () => {
    // PostgreSQL says which it is by a function, which this database has another one of.
    await database.client.query(`
      create function current_setting(text) returns text language sql as
        $$ select case $1 when 'server_version_num' then '130014' else '13.14' end $$;
      alter database ${database.name} set search_path = public, pg_catalog`);
    expect(await startHere().refused()).toMatch(/PostgreSQL on .* is version 13\.14: the service needs 14 or newer/);
  });
});

/** A server that answers whoever connects with an error, and nothing else. */
async function refusingServer(answer: Buffer): Promise<Server> {
  const server = createServer((caller) => {
    caller.on('error', () => undefined);
    caller.once('data', () => caller.end(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { access, chmod, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { placeCluster, runningServer } from '../../src/services/database/embedded-cluster.js';
import type { Readiness } from '../../src/services/health/health.service.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { OWN_LOCKS } from '../support/own-locks.js';
import { startServiceInProcess, type ServiceInProcess } from '../support/service-in-process.js';
import { startServiceProcess, type ServiceProcess, type ServiceProcessOptions } from '../support/service-process.js';
import { clientOptions } from '../support/test-databases.js';
import { testEnvironment, type TestEnvironment } from '../support/test-settings.js';

/** What production asks for besides its servers. */
const PRODUCTION = { NODE_ENV: 'production', API_KEY_ENCRYPTION_SECRET: 'a-secret-of-at-least-32-characters' } as const;

const processes: ServiceProcess[] = [];
const inProcess: ServiceInProcess[] = [];

async function start(
  environment: TestEnvironment,
  options: Partial<ServiceProcessOptions> = {},
): Promise<ServiceProcess> {
  const service = await startServiceProcess({ environment: { LOG_LEVEL: 'info', ...environment }, ...options });
  processes.push(service);
  return service;
}

/** For what a start says and decides, which takes no process. */
function startHere(environment: TestEnvironment): ServiceInProcess {
  const service = startServiceInProcess(environment);
  inProcess.push(service);
  return service;
}

async function apiPorts(): Promise<{ HTTP_PORT: string; BATCH_RPC_TCP_PORT: string }> {
  return { HTTP_PORT: String(await freePort()), BATCH_RPC_TCP_PORT: String(await freePort()) };
}

async function readiness(port: string): Promise<{ status: number; body: Readiness }> {
  const response = await fetch(`http://127.0.0.1:${port}/health/ready`);
  return { status: response.status, body: (await response.json()) as Readiness };
}

async function insert(port: string, values: Record<string, string | number>): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/operations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ operationType: 'insert', target: 'items', values }),
  });
  const { id } = (await response.json()) as { id: string };
  return id;
}

async function statusAfter(port: string, id: string, waitMs: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/operations/${id}?wait=${waitMs}`);
  return ((await response.json()) as { status: string }).status;
}

afterEach(async () => {
  await Promise.all([...processes.splice(0), ...inProcess.splice(0)].map((service) => service.end()));
});

describe('the service with nothing but Node', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'batch-boot-'));
    // For root the server runs as another user, who has to come through.
    await chmod(folder, 0o755);
  });
  afterAll(async () => rm(folder, { recursive: true, force: true }));

  /** As a developer's, who has set nothing but where things are. The data is made by the test that comes first. */
  async function bare(): Promise<TestEnvironment & { HTTP_PORT: string; BATCH_EMBEDDED_DIR: string }> {
    return { ...(await apiPorts()), BATCH_EMBEDDED_DIR: join(folder, 'postgres') };
  }

  const serverRuns = (directory: string): Promise<boolean> =>
    access(join(directory, 'cluster/data/postmaster.pid')).then(
      () => true,
      () => false,
    );

  it('says which parts are embedded and where the data lies, and after a kill goes on with all it had accepted', async () => {
    const environment = await bare();
    const killed = await start(environment, { args: ['api'] });
    await killed.up();
    expect(killed.output).toMatch(/EMBEDDED PostgreSQL.*production refuses it/);
    expect(killed.output).toContain(`data in ${environment.BATCH_EMBEDDED_DIR}`);
    expect(killed.output).toContain('NO BROKER');
    expect(killed.output).toContain(`http://127.0.0.1:${environment.HTTP_PORT}/api/docs`);
    await createItems(environment.BATCH_EMBEDDED_DIR);
    const id = await insert(environment.HTTP_PORT, { id: 1, name: 'pen' });
    killed.signal('SIGKILL');
    await killed.exited;
    expect(await serverRuns(environment.BATCH_EMBEDDED_DIR)).toBe(true);

    const next = await start(environment);
    await next.up();
    expect(await statusAfter(environment.HTTP_PORT, id, 10_000)).toBe('completed');
    expect(await readiness(environment.HTTP_PORT)).toMatchObject({
      status: 200,
      body: { status: 'ready', parts: { database: { status: 'up' }, poller: { status: 'up' } } },
    });
    next.signal('SIGTERM');
    expect(await next.exited).toBe(0);
    expect(await serverRuns(environment.BATCH_EMBEDDED_DIR)).toBe(false);
  });

  it('shares one server between api and a worker, which needs no port; the last to stop takes it down', async () => {
    const environment = await bare();
    // If the worker listened anywhere, the two would be in each other's way.
    const [api, worker] = await Promise.all([
      start(environment, { args: ['api'] }),
      start(environment, { args: ['worker'] }),
    ]);
    await Promise.all([api.up(), worker.up()]);

    api.signal('SIGINT');
    expect(await api.exited).toBe(0);
    expect(await query(environment.BATCH_EMBEDDED_DIR, 'select 1 as one')).toEqual([{ one: 1 }]);

    worker.signal('SIGTERM');
    expect(await worker.exited).toBe(0);
    expect(await serverRuns(environment.BATCH_EMBEDDED_DIR)).toBe(false);
  });

  const createItems = (directory: string): Promise<unknown> =>
    query(directory, 'create table items (id int primary key, name text)');

  async function query(directory: string, text: string): Promise<unknown[]> {
    const { host, port, username: user, password } = (await runningServer(await placeCluster(directory)))!;
    const client = new pg.Client({ host, port, user, password, database: 'batch_service' });
    await client.connect();
    const { rows } = await client.query<object>(text);
    await client.end();
    return rows;
  }
});

describe('a start that cannot succeed', () => {
  it('ends with 1 and names every wrong setting, with a suggestion, without a stack', async () => {
    const wrong = { HTTP_PORT: 'none', BATCH_ROLE: 'boss', BATCH_PROCESS_OPERATION_LIMT: '5', NODE_ENV: 'production' };
    const service = await start(wrong);

    expect(await service.exited).toBe(1);
    const [head, ...lines] = service.output.trim().split('\n');
    expect(head).toBe('The settings cannot be used:');
    expect(lines.pop()).toBe('See .env.example.');
    for (const told of [/HTTP_PORT: /, /BATCH_ROLE: /, /did you mean "BATCH_PROCESS_OPERATION_LIMIT"\?/]) {
      expect(lines.filter((line) => told.test(line))).toHaveLength(1);
    }
    expect(service.output).toContain('DB_HOST: required in production');
    expect(lines.filter((line) => !line.startsWith('  - '))).toEqual([]);
  });

  it('ends with 1 for words that are no role, in three lines', async () => {
    const service = await start(testEnvironment(), { args: ['api', 'worker'] });

    expect(await service.exited).toBe(1);
    expect(service.output).toContain('one of all, api, worker; got 2 words: api worker');
    expect(service.output.trim().split('\n')).toHaveLength(3);
  });

  it.each(['main', 'migrate'] as const)(
    'ends %s with 1 when the database does not answer, and says where it looked',
    async (program) => {
      const port = String(await freePort());
      const environment = { DB_HOST: '127.0.0.1', DB_PORT: port, DB_WAIT_TIMEOUT: '0', ...(await apiPorts()) };
      const service = await start(environment, { program });

      expect(await service.exited).toBe(1);
      expectOneReason(service, `127.0.0.1:${port} does not answer`, 'DB_HOST', 'DB_PORT');
    },
  );

  it('ends with 1 for a database that is not there, and names the variable, also where nothing else is logged', async () => {
    const environment = { ...testEnvironment({ DB_NAME: 'no_such_database' }), ...(await apiPorts()) };
    const service = await start({ ...environment, LOG_LEVEL: 'fatal' });

    expect(await service.exited).toBe(1);
    expectOneReason(service, '"no_such_database"', 'DB_NAME');
  });

  it('ends with 1 when one of its ports is taken, names its variable, and has taken no work before', async () => {
    const database = await createTestDatabase();
    const holder = createServer().listen(0, '0.0.0.0');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    const on = async (variable: string, role: string): Promise<TestEnvironment> => ({
      ...testEnvironment({ ...database.environment, BATCH_SERVICE_RMQ_URL: '' }),
      ...(await apiPorts()),
      LOG_LEVEL: 'info',
      BATCH_ROLE: role,
      [variable]: String(port),
    });
    const service = await start(await on('HTTP_PORT', 'all'));
    for (const [variable, role] of [
      ['BATCH_RPC_TCP_PORT', 'all'],
      ['BATCH_WORKER_HEALTH_PORT', 'worker'],
    ] as const) {
      const other = startHere(await on(variable, role));
      expect(await other.refused()).toMatch(new RegExp(`^Port ${port} is in use .*${variable}`));
      expect(other.output, variable).not.toContain('Poller started');
    }

    expect(await service.exited).toBe(1);
    expectOneReason(service, `Port ${port} is in use`, 'HTTP_PORT');
    expect(service.output).not.toContain('Poller started');
    holder.close();
    await database.drop();
  });

  it('ends with 1 in every role in production on a database that lacks migrations', async () => {
    const database = await createTestDatabase({ migrated: false });
    const as = async (role: string): Promise<TestEnvironment> => ({
      ...testEnvironment(database.environment),
      ...(await apiPorts()),
      ...PRODUCTION,
      LOG_LEVEL: 'info',
      BATCH_ROLE: role,
    });
    const service = await start(await as('worker'));
    for (const role of ['all', 'api']) {
      expect(await startHere(await as(role)).refused()).toMatch(/InitialSchema1764800000000.*node dist\/migrate\.js/);
    }

    expect(await service.exited).toBe(1);
    expectOneReason(service, 'InitialSchema1764800000000', 'node dist/migrate.js');
    await database.drop();
  });

  it('ends with 1 in the time of a shutdown when it is told to stop and its broker accepts, but stays silent', async () => {
    const database = await createTestDatabase();
    const silent = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const connected = once(silent, 'connection');
    const { port } = silent.address() as AddressInfo;
    const service = await start({
      ...testEnvironment(database.environment),
      ...(await apiPorts()),
      LOG_LEVEL: 'info',
      BATCH_SERVICE_RMQ_URL: `amqp://127.0.0.1:${port}`,
      BATCH_SHUTDOWN_TIMEOUT: '300',
    });
    await connected;

    service.signal('SIGTERM');

    expect(await service.exited).toBe(1);
    expect(service.output).toMatch(/Not stopped within 300 ms; still waiting for: its start/);
    silent.close();
    await database.drop();
  });

  /** Told once, in one line, without a stack. */
  function expectOneReason({ output }: ServiceProcess, ...told: string[]): void {
    const reasons = output.split('\n').filter((line) => told.every((text) => line.includes(text)));
    expect(reasons, output).toHaveLength(1);
    expect(output).not.toMatch(/^\s+at |\\n\s+at /m);
  }
});

describe('the service on servers of its own', () => {
  let database: TestDatabase;
  let environment: TestEnvironment & { HTTP_PORT: string };

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query('create table items (id int primary key, name text)');
    environment = {
      ...testEnvironment(database.environment),
      ...(await apiPorts()),
      LOG_LEVEL: 'info',
      BATCH_PROCESS_OPERATION_INTERVAL: '50',
    };
  });
  afterAll(() => database.drop());
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((service) => service.end()));
    await database.client.query('truncate items, batch.operations, batch.pending, batch.outcomes, batch.chunks');
  });

  /** Holds the target, so that the next chunk waits in the middle of its work. */
  async function holdTarget(): Promise<() => Promise<void>> {
    const client = await database.client.connect();
    await client.query('begin');
    await client.query('lock table items in access exclusive mode');
    return async () => {
      await client.query('rollback');
      client.release();
    };
  }

  async function chunkWaits(): Promise<void> {
    await eventually(async () => {
      const { rowCount } = await database.client.query(
        `select from ${OWN_LOCKS} where relation = 'items'::regclass and not granted`,
      );
      expect(rowCount).toBe(1);
    });
  }

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('ends at once at a second %s, with %i', async (signal, code) => {
    const service = await start(environment);
    await service.up();
    const release = await holdTarget();
    await insert(environment.HTTP_PORT, { id: 3, name: 'pen' });
    await chunkWaits();

    service.signal(signal);
    await service.said('stopping');
    // One that follows at once is the same keystroke, passed on by npm; so say it until it is heard.
    const again = setInterval(() => service.signal(signal), 50);
    try {
      expect(await service.exited).toBe(code);
    } finally {
      clearInterval(again);
      await release();
    }
  });

  it('logs a rejection that nobody caught as fatal, and ends with 1; in production it warns that without a broker there is no RPC', async () => {
    const fault = 'Promise.reject(new Error("boom"))';
    const onSignal = `data:text/javascript,process.on('SIGUSR2', () => ${encodeURIComponent(fault)})`;
    const service = await start(
      { ...environment, ...PRODUCTION, BATCH_SERVICE_RMQ_URL: '' },
      { nodeOptions: ['--import', onSignal] },
    );
    await service.up();
    const warnings = linesOf(service).filter(({ level }) => level === 'warn');
    expect(warnings.map(({ msg }) => msg)).toEqual([
      expect.stringMatching(/^SUPERUSER: /),
      expect.stringMatching(/^NO BROKER: no RPC, only REST.*BATCH_SERVICE_RMQ_URL/),
      expect.stringMatching(/^NOT ENCRYPTED.*: HTTP on 0\.0\.0\.0 .*BATCH_HTTPS_CERT/),
    ]);

    const socket = connect(Number(environment.BATCH_RPC_TCP_PORT), '127.0.0.1');
    expect((await once(socket, 'error'))[0]).toMatchObject({ code: 'ECONNREFUSED' });

    service.signal('SIGUSR2');

    expect(await service.exited).toBe(1);
    expect(linesOf(service).at(-1)).toMatchObject({ level: 'fatal', err: { message: 'boom' } });
  });

  it('logs the stack of a bug with files and lines of the source', async () => {
    const service = await start(environment);
    await service.up();
    await database.client.query('alter view batch.batch_operations rename to elsewhere');
    onTestFinished(async () => {
      await database.client.query('alter view batch.elsewhere rename to batch_operations');
    });

    const response = await fetch(`http://127.0.0.1:${environment.HTTP_PORT}/api/v1/operations/${randomUUID()}`);

    expect(response.status).toBe(500);
    await service.said(/src\/services\/outcomes\/operations\.service\.ts:\d+:\d+/);
  });

  const linesOf = ({ output }: ServiceProcess): Record<string, unknown>[] =>
    output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  it('as api accepts what a worker applies, which Redis wakes long before its interval and which serves its probes alone', async () => {
    const healthPort = String(await freePort());
    const slow = { ...environment, BATCH_PROCESS_OPERATION_INTERVAL: '3600000' };
    const api = await start(slow, { args: ['api'] });
    const worker = await start({ ...slow, BATCH_WORKER_HEALTH_PORT: healthPort }, { args: ['worker'] });
    await Promise.all([api.up(), worker.up()]);

    const id = await insert(environment.HTTP_PORT, { id: 4, name: 'ink' });

    expect(await statusAfter(environment.HTTP_PORT, id, 10_000)).toBe('completed');
    expect((await readiness(healthPort)).body.parts).toMatchObject({
      poller: { status: 'up' },
      rabbitmq: { status: 'up' },
    });
    expect((await readiness(environment.HTTP_PORT)).body.parts).not.toHaveProperty('poller');
    const metrics = await (await fetch(`http://127.0.0.1:${healthPort}/metrics`)).text();
    expect(metrics).toMatch(/^batch_operations_settled_total\{outcome="completed",code="none"\} 1$/m);
    expect((await fetch(`http://127.0.0.1:${healthPort}/api/v1/stats`)).status).toBe(404);
  });
});

describe('the migration command', () => {
  it('makes a database ready that was not, and finds nothing to do the second time', async () => {
    const database = await createTestDatabase({ migrated: false });
    const environment = {
      ...testEnvironment(database.environment),
      ...(await apiPorts()),
      LOG_LEVEL: 'info',
      BATCH_RUN_MIGRATIONS: 'false',
    };

    const first = await start(environment, { program: 'migrate' });
    expect(await first.exited).toBe(0);
    expect(first.output).toMatch(/Applied: InitialSchema\d+/);
    await startHere({ ...environment, BATCH_ROLE: 'api' }).up;
    expect(await readiness(environment.HTTP_PORT)).toMatchObject({ status: 200, body: { status: 'ready' } });

    const second = await start(environment, { program: 'migrate' });
    expect(await second.exited).toBe(0);
    expect(second.output).toContain('No migration was missing');

    await Promise.all(inProcess.splice(0).map((service) => service.end()));
    await database.drop();
  });

  it('waits for another one, however long that has the lock, and each migration is made once', async () => {
    const database = await createTestDatabase({ migrated: false });
    const environment = { ...testEnvironment(database.environment), LOG_LEVEL: 'info', BATCH_LOCK_TIMEOUT: '100' };
    const holder = new pg.Client(clientOptions(database.connection));
    await holder.connect();
    await holder.query(`select pg_advisory_lock(hashtext('batch-service.migrations'))`);

    const both = await Promise.all([1, 2].map(() => start(environment, { program: 'migrate' })));
    await Promise.all(
      both.map((each) => each.said(/Another process migrates this database; waiting 600 s more.*pid \d+/)),
    );
    // A second line says that it still waits: by then every other time-out has passed.
    await Promise.all(both.map((each) => each.said(/waiting 59\d s more/)));
    await holder.end();

    expect(await Promise.all(both.map((each) => each.exited))).toEqual([0, 0]);
    expect(both.map(({ output }) => /Applied: InitialSchema/.test(output)).sort()).toEqual([false, true]);
    expect(both.map(({ output }) => output.includes('No migration was missing')).sort()).toEqual([false, true]);
    const { rows } = await database.client.query('select name from batch.migrations group by name having count(*) > 1');
    expect(rows).toEqual([]);
    await database.drop();
  });

  it('ends with 1 and one line that names the migration, the statement, the reason and the cure', async () => {
    const database = await createTestDatabase({ migrated: false });
    await database.client.query('create schema batch; create table batch.operations ()');
    const migration = await start(
      { ...testEnvironment(database.environment), LOG_LEVEL: 'info' },
      { program: 'migrate' },
    );

    expect(await migration.exited).toBe(1);
    expect(migration.output).toMatch(
      /The migrations were not applied: Migration InitialSchema\d+ failed at the statement \\?"create table batch\.operations .*relation \\?"operations\\?" already exists\. .*then migrate again/,
    );
    expect(migration.output).not.toMatch(/DB_NAME|^\s+at /m);
    await database.drop();
  });

  it('names its own variables when its user is refused', async () => {
    const database = await createTestDatabase({ migrated: false });
    const environment = {
      ...testEnvironment(database.environment),
      LOG_LEVEL: 'info',
      DB_MIGRATION_USERNAME: 'nobody_here',
    };
    const migration = await start(environment, { program: 'migrate' });

    expect(await migration.exited).toBe(1);
    expect(migration.output).toMatch(/refuses the user .*nobody_here.*DB_MIGRATION_USERNAME, DB_MIGRATION_PASSWORD/);
    await database.drop();
  });
});

describe('a service that asks for no API key', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  /** Of this machine, and not that of the loop back to it. */
  const outerAddress = (): string | undefined =>
    Object.values(networkInterfaces())
      .flat()
      .find((each) => each?.family === 'IPv4' && !each.internal)?.address;

  async function answers(host: string, port: string): Promise<boolean> {
    const socket = connect({ host, port: Number(port) });
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  }

  it('listens on this machine only', async () => {
    const environment = {
      ...testEnvironment({ ...database.environment, BATCH_SERVICE_RMQ_URL: '' }),
      ...(await apiPorts()),
      LOG_LEVEL: 'info',
      NODE_ENV: '',
    };
    const service = startHere(environment);
    await service.up;
    expect(service.output).not.toContain('OPEN ACCESS');
    for (const port of [environment.HTTP_PORT, environment.BATCH_RPC_TCP_PORT]) {
      expect(await answers('127.0.0.1', port)).toBe(true);
      expect(await answers('127.0.0.2', port)).toBe(false);
      const outer = outerAddress();
      if (outer !== undefined) expect(await answers(outer, port)).toBe(false);
    }
  });

  it('listens on another address where that is allowed, and warns of it at every start', async () => {
    const environment = {
      ...testEnvironment({ ...database.environment, BATCH_SERVICE_RMQ_URL: '' }),
      ...(await apiPorts()),
      LOG_LEVEL: 'warn',
      HTTP_HOST: '0.0.0.0',
      BATCH_ALLOW_OPEN_ACCESS: 'true',
    };
    for (const _start of ['first', 'second']) {
      const service = startHere(environment);
      await service.up;
      expect(service.output).toMatch(/WARN: OPEN ACCESS: HTTP_HOST=0\.0\.0\.0, .*BATCH_REQUIRE_API_KEY=true/);
      expect(await answers('127.0.0.2', environment.HTTP_PORT)).toBe(true);
      await service.end();
    }
  });
});

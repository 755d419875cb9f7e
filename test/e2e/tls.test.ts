import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, readFile, rm } from 'node:fs/promises';
import { request, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import pino from 'pino';
import type { IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { RENEW_EVERY_MS } from '../../src/bootstrap/renew-certificates.js';
import { beginService } from '../../src/bootstrap/start-service.js';
import { BatchServiceClient } from '../../src/client/index.js';
import { loadSettings } from '../../src/services/config/load-settings.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { RabbitmqConnection } from '../../src/services/rabbitmq/rabbitmq-connection.js';
import { WakeUpService } from '../../src/services/wake-up/wake-up.service.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startServiceInProcess, type ServiceInProcess } from '../support/service-in-process.js';
import { startServiceProcess, type ServiceProcess, type ServiceProcessOptions } from '../support/service-process.js';
import { startOwnRabbitmq, type RestartableRabbitmq } from '../support/services/rabbitmq.js';
import { TestCa, type TestCertificate } from '../support/tls/test-certificates.js';
import {
  startTlsFront,
  startTlsPostgres,
  startTlsRedis,
  type TlsPostgres,
  type TlsServer,
} from '../support/tls/tls-servers.js';
import type { TestEnvironment } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';

/** All servers of the service, each with TLS alone, and certificates that this file makes. They are for `localhost`; 127.0.0.1 is another host. */
describe('TLS', () => {
  let ca: TestCa;
  let otherCa: TestCa;
  let server: TestCertificate;
  let expired: TestCertificate;
  /** Shown by the service. */
  let own: TestCertificate;
  let ofOtherCa: TestCertificate;
  let postgres: TlsPostgres;
  let broker: RestartableRabbitmq;
  let brokerPort: number;
  let redis: TlsServer;
  const processes: ServiceProcess[] = [];
  const inProcess: ServiceInProcess[] = [];

  beforeAll(async () => {
    [ca, otherCa] = await Promise.all([TestCa.make(), TestCa.make()]);
    server = await ca.issue('server');
    expired = await ca.issue('server', { days: -1 });
    own = await ca.issue('batch-service');
    ofOtherCa = await otherCa.issue('batch-service');
    brokerPort = await freePort();
    [postgres, redis, broker] = await Promise.all([
      startTlsPostgres(ca, server),
      startTlsRedis(ca, server),
      startOwnRabbitmq(
        () => undefined,
        [
          `listeners.ssl.default = 127.0.0.1:${brokerPort}`,
          `ssl_options.cacertfile = ${ca.cert}`,
          `ssl_options.certfile = ${server.cert}`,
          `ssl_options.keyfile = ${server.key}`,
          'ssl_options.verify = verify_peer',
          'ssl_options.fail_if_no_peer_cert = true',
          '',
        ].join('\n'),
      ),
    ]);
    await postgres.client.query('create table public.items (id int primary key)');
    const migration = await start(database(), { program: 'migrate' });
    expect(await migration.exited, migration.output).toBe(0);
  }, 120_000);
  afterAll(async () => {
    await Promise.all([postgres?.stop(), redis?.stop(), broker?.stop()]);
    await Promise.all([ca.remove(), otherCa.remove()]);
  });
  afterEach(async () => {
    await Promise.all([...processes.splice(0), ...inProcess.splice(0)].map((service) => service.end()));
  });

  async function start(
    environment: TestEnvironment,
    options: Partial<ServiceProcessOptions> = {},
  ): Promise<ServiceProcess> {
    const service = await startServiceProcess({ environment: { LOG_LEVEL: 'info', ...environment }, ...options });
    processes.push(service);
    return service;
  }

  /** For what a start says of a certificate, which takes no process. */
  function startHere(environment: TestEnvironment): ServiceInProcess {
    const service = startServiceInProcess(environment);
    inProcess.push(service);
    return service;
  }

  function database(): TestEnvironment {
    return {
      DB_HOST: 'localhost',
      DB_PORT: String(postgres.port),
      DB_NAME: postgres.database,
      DB_USERNAME: postgres.username,
      DB_PASSWORD: postgres.password,
      DB_SSL: 'verify-full',
      DB_SSL_CA: ca.cert,
    };
  }

  function rabbitmq(host = 'localhost', port = brokerPort): TestEnvironment {
    return {
      BATCH_SERVICE_RMQ_URL: `amqps://guest:guest@${host}:${port}`,
      BATCH_SERVICE_RMQ_QUEUE: uniqueName('queue'),
      BATCH_RMQ_CA: ca.cert,
      BATCH_RMQ_CERT: own.cert,
      BATCH_RMQ_KEY: own.key,
    };
  }

  function cache(host = 'localhost'): TestEnvironment {
    return {
      REDIS_URL: `rediss://${host}:${redis.port}`,
      REDIS_CA: ca.cert,
      REDIS_CERT: own.cert,
      REDIS_KEY: own.key,
    };
  }

  async function https(port: string, path: string, options: RequestOptions = {}): Promise<IncomingMessage> {
    const sent = request({ host: 'localhost', port, path, ca: await ca.read(), agent: false, ...options });
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return response;
  }

  it('carries an operation from the client to the table, and all parts are connected', async () => {
    const HTTP_PORT = String(await freePort());
    const environment = {
      ...database(),
      ...rabbitmq(),
      ...cache(),
      HTTP_PORT,
      BATCH_HTTPS_CERT: server.cert,
      BATCH_HTTPS_KEY: server.key,
      DB_SSL_CERT: own.cert,
      DB_SSL_KEY: own.key,
      DB_USERNAME: postgres.certifiedUser,
    };
    const service = await start(environment);
    await service.up();

    const client = new BatchServiceClient({
      transport: 'rmq',
      url: environment.BATCH_SERVICE_RMQ_URL ?? '',
      queue: environment.BATCH_SERVICE_RMQ_QUEUE ?? '',
      tls: {
        ca: await ca.read(),
        cert: await readFile(own.cert, 'utf8'),
        key: await readFile(own.key, 'utf8'),
      },
    });
    try {
      const { id } = await client.createOperation({ operationType: 'insert', target: 'items', values: { id: 1 } });
      expect(await client.waitForOperation(id)).toMatchObject({ status: 'completed' });
    } finally {
      await client.close();
    }
    expect((await postgres.client.query('select id from items')).rows).toEqual([{ id: 1 }]);
    expect(await encryptedConnections(postgres)).toEqual({ encrypted: expect.any(Number) as number, plain: 0 });
    const ready = await https(HTTP_PORT, '/health/ready');
    expect(JSON.parse(await text(ready))).toMatchObject({
      status: 'ready',
      parts: { database: { status: 'up' }, rabbitmq: { status: 'up' }, redis: { status: 'up' } },
    });
    expect(service.output).toContain(`https://127.0.0.1:${HTTP_PORT}/api/v1`);
    expect(service.output).not.toMatch(/NOT ENCRYPTED|NOT VERIFIED/);
  });

  describe('with PostgreSQL', () => {
    const startWith = (environment: TestEnvironment): ServiceInProcess =>
      startHere({ ...database(), ...environment, BATCH_ROLE: 'worker' });

    it.each<[what: string, environment: () => TestEnvironment, told: RegExp]>([
      [
        'another CA',
        () => ({ DB_SSL_CA: otherCa.cert }),
        /on localhost:\d+ shows a certificate that no trusted CA .*DB_SSL_CA/,
      ],
      ['no CA', () => ({ DB_SSL_CA: '' }), /shows a certificate that no trusted CA .*DB_SSL_CA/],
      [
        'another host',
        () => ({ DB_HOST: '127.0.0.1' }),
        /shows a certificate for another host .*127\.0\.0\.1.*DB_HOST/,
      ],
      [
        'no certificate of the service',
        () => ({ DB_USERNAME: postgres.certifiedUser }),
        /client certificate.*DB_SSL_CERT/,
      ],
      [
        'a certificate of the service by another CA',
        () => ({ DB_USERNAME: postgres.certifiedUser, DB_SSL_CERT: ofOtherCa.cert, DB_SSL_KEY: ofOtherCa.key }),
        /(refuses our|if it asks for a) certificate.*DB_SSL_CERT/,
      ],
      ['no TLS where it is demanded', () => ({ DB_SSL: 'disable', DB_SSL_CA: '' }), /no encryption.*DB_SSL/],
    ])('is refused at once with %s, and says what to set', async (_what, environment, told) => {
      const service = startWith(environment());
      await service.refused();
      expect(service.output).toMatch(told);
      // The server's refusal of a certificate may be lost, and is waited for as any lost connection.
      if (!service.output.includes('if it asks for')) expect(service.output).not.toContain('Attempt 1');
      expect(service.output).not.toMatch(/^\s+at /m);
    });

    it('is refused with a certificate that has expired', async () => {
      await postgres.show(expired);
      try {
        const reason = await startWith({}).refused();
        expect(reason).toMatch(/PostgreSQL on localhost:\d+ shows a certificate that has expired/);
      } finally {
        await postgres.show(server);
      }
    });

    it('is not verified with require, its host is not verified with verify-ca, and each start warns of that', async () => {
      await startWith({ DB_SSL: 'require', DB_SSL_CA: '', DB_HOST: '127.0.0.1' }).up;
      await startWith({ DB_SSL: 'verify-ca', DB_HOST: '127.0.0.1' }).up;
      expect(await startWith({ DB_SSL: 'verify-ca', DB_SSL_CA: otherCa.cert }).refused()).toContain('DB_SSL_CA');
    });

    it('is refused by the commands as well', async () => {
      const environment = { ...database(), DB_SSL_CA: otherCa.cert, API_KEY_ENCRYPTION_SECRET: 'x'.repeat(32) };
      for (const [program, ...args] of [['keys', 'list'], ['sql', 'select 1'], ['migrate']] as const) {
        const command = await start(environment, { program, args });
        expect(await command.exited).toBe(1);
        expect(command.output).toMatch(
          /PostgreSQL on localhost:\d+ shows a certificate that no trusted CA .*DB_SSL_CA/,
        );
        expect(command.output).not.toContain('Attempt 1');
        expect(command.output).not.toMatch(/^\s+at /m);
      }
      const right = await start(database(), { program: 'sql', args: ['select 1 as one'] });
      expect(await right.exited).toBe(0);
      expect(right.output).toContain('{"one":1}');
    });
  });

  describe('with RabbitMQ', () => {
    it.each<[what: string, environment: () => TestEnvironment, told: RegExp]>([
      [
        'another CA',
        () => ({ BATCH_RMQ_CA: otherCa.cert }),
        /RabbitMQ at localhost:\d+ shows a certificate that no trusted CA .*BATCH_RMQ_CA/,
      ],
      [
        'another host',
        () => rabbitmq('127.0.0.1'),
        /RabbitMQ at 127\.0\.0\.1:\d+ shows a certificate for another host .*BATCH_SERVICE_RMQ_URL/,
      ],
      [
        'no certificate of the service',
        () => ({ BATCH_RMQ_CERT: '', BATCH_RMQ_KEY: '' }),
        /(refuses our certificate, or requires one|if it asks for a certificate).*BATCH_RMQ_CERT and BATCH_RMQ_KEY/,
      ],
      [
        'a certificate of the service by another CA',
        () => ({ BATCH_RMQ_CERT: ofOtherCa.cert, BATCH_RMQ_KEY: ofOtherCa.key }),
        /(refuses our|if it asks for a) certificate.*BATCH_RMQ_CERT/,
      ],
      [
        'a broker without TLS',
        () => rabbitmq('localhost', Number(new URL(broker.connection.url).port)),
        /RabbitMQ at localhost:\d+ does not speak TLS.*BATCH_SERVICE_RMQ_URL/,
      ],
    ])('is refused at the start with %s, and says what to set', async (_what, environment, told) => {
      const service = startHere({
        ...database(),
        ...rabbitmq(),
        ...environment(),
        HTTP_PORT: String(await freePort()),
      });
      await service.said(told);
      // The broker's refusal of a certificate may be lost: then it is waited for, as for any broker.
      if (!service.output.includes('if it asks for')) await service.refused();
      expect(service.output).not.toMatch(/^\s+at /m);
    });

    it('is refused with a certificate that has expired, by the service and its command', async () => {
      const front = await startTlsFront(expired, { port: Number(new URL(broker.connection.url).port) });
      try {
        const environment = {
          ...database(),
          ...rabbitmq('localhost', front.port),
          HTTP_PORT: String(await freePort()),
        };
        const service = await start(environment);
        expect(await service.exited).toBe(1);
        expect(service.output).toMatch(/RabbitMQ at localhost:\d+ shows a certificate that has expired/);
        const command = await start(environment, { program: 'parked-messages', args: ['list'] });
        expect(await command.exited).toBe(1);
        expect(command.output).toMatch(/RabbitMQ shows a certificate that has expired/);
      } finally {
        await front.stop();
      }
    });
  });

  describe('with Redis', () => {
    it.each<[what: string, environment: () => TestEnvironment, told: RegExp]>([
      ['another CA', () => ({ REDIS_CA: otherCa.cert }), /no trusted CA .*REDIS_CA/],
      ['another host', () => cache('127.0.0.1'), /for another host .*REDIS_URL/],
      [
        'no certificate of the service',
        () => ({ REDIS_CERT: '', REDIS_KEY: '' }),
        /(refuses our|if it asks for a) certificate.*REDIS_CERT/,
      ],
    ])('serves without it with %s, and says what to set', async (_what, environment, told) => {
      const service = startHere({ ...database(), ...cache(), ...environment(), BATCH_ROLE: 'worker' });
      await service.said(new RegExp(`Redis at rediss://.* is out of reach \\(.*${told.source}`));
      await service.up;
    });

    it('serves without it with a certificate that has expired, and says so', async () => {
      await redis.show(expired);
      try {
        const service = startHere({ ...database(), ...cache(), BATCH_ROLE: 'worker' });
        await service.said(/Redis at rediss:.* is out of reach \(it shows a certificate that has expired/);
        await service.up;
      } finally {
        await redis.show(server);
      }
    });
  });

  describe('with certificates that are renewed while it runs', () => {
    /** A file that the service is told of, and whose content changes. */
    const replaceable = async (from: string): Promise<{ path: string; replace(from: string): Promise<void> }> => {
      const path = join(tmpdir(), uniqueName('batch-test-renewed'));
      onTestFinished(() => rm(path, { force: true }));
      await copyFile(from, path);
      return { path, replace: (other) => copyFile(other, path) };
    };

    it('connects to PostgreSQL with the new ones, in the pool that there is', async () => {
      const file = await replaceable(ca.cert);
      const settings = loadSettings({ ...database(), DB_SSL_CA: file.path });
      const dataSource = await createDataSource(settings).initialize();
      onTestFinished(() => dataSource.destroy());
      const connect = (): Promise<unknown> => dataSource.query('select pg_terminate_backend(pg_backend_pid())');
      await expect(connect()).rejects.toThrow(/terminating connection/);

      await file.replace(otherCa.cert);
      settings.database.ssl.certificates?.renew();
      // The pool may have the connection that was ended for a moment.
      await eventually(() => expect(connect()).rejects.toThrow(/certificate/));
      await file.replace(ca.cert);
      settings.database.ssl.certificates?.renew();
      await expect(connect()).rejects.toThrow(/terminating connection/);
    });

    it('connects to RabbitMQ with the new ones', async () => {
      const file = await replaceable(ca.cert);
      const settings = loadSettings({ ...rabbitmq(), BATCH_RMQ_CA: file.path });
      const connection = new RabbitmqConnection({
        ...settings.rabbitmq!,
        name: 'test',
        setUp: () => Promise.resolve(),
      });
      onTestFinished(() => connection.close());
      await connection.open();
      expect(connection.connected).toBe(true);

      await file.replace(otherCa.cert);
      settings.rabbitmq?.certificates?.renew();
      connection.restart('the test');
      await eventually(() => expect(connection.connected).toBe(false));
      await delay(500);
      expect(connection.connected).toBe(false);
      await file.replace(ca.cert);
      settings.rabbitmq?.certificates?.renew();
      await eventually(() => expect(connection.connected).toBe(true));
    });

    it('connects to Redis with the new ones', async () => {
      const file = await replaceable(otherCa.cert);
      const settings = loadSettings({ ...cache(), REDIS_CA: file.path });
      const wakeUp = new WakeUpService(settings);
      wakeUp.onModuleInit();
      onTestFinished(() => wakeUp.onApplicationShutdown());
      await delay(500);
      expect(wakeUp.connected).toBe(false);
      await file.replace(ca.cert);
      settings.redis?.certificates?.renew();
      await eventually(() => expect(wakeUp.connected).toBe(true));
    });

    it('shows the new one to callers of HTTPS, and the old one while the new cannot be used', async () => {
      const [cert, key] = [await replaceable(server.cert), await replaceable(server.key)];
      const lines: string[] = [];
      const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
      const port = String(await freePort());
      const files = { BATCH_HTTPS_CERT: cert.path, BATCH_HTTPS_KEY: key.path };
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
      onTestFinished(() => void vi.useRealTimers());
      const settings = { ...database(), ...files, HTTP_PORT: port, BATCH_RPC_TCP_PORT: String(await freePort()) };
      const service = await beginService(loadSettings(settings), logger).up;
      onTestFinished(() => service.close());
      expect(await subjectOf(port)).toBe('server');

      const renewed = await ca.issue('renewed');
      await cert.replace(renewed.cert);
      await vi.advanceTimersByTimeAsync(3 * RENEW_EVERY_MS);
      expect(await subjectOf(port)).toBe('server');
      expect(lines.filter((line) => /not renewed.*BATCH_HTTPS_KEY: this is not the key/.test(line))).toHaveLength(1);
      await key.replace(renewed.key);
      await vi.advanceTimersByTimeAsync(RENEW_EVERY_MS);
      expect(await subjectOf(port)).toBe('renewed');
      expect(lines.join()).toContain('Certificates were renewed: BATCH_HTTPS_CERT, BATCH_HTTPS_KEY');
    });

    async function subjectOf(port: string): Promise<string | undefined> {
      const socket = connectTls({ host: 'localhost', port: Number(port), ca: await ca.read() });
      socket.on('error', () => undefined);
      await once(socket, 'secureConnect');
      const { subject } = socket.getPeerCertificate();
      socket.destroy();
      return subject.CN as string;
    }
  });

  describe('of HTTPS', () => {
    it('is used by the health check of the image if it is set', async () => {
      const HTTP_PORT = String(await freePort());
      const files = { BATCH_HTTPS_CERT: server.cert, BATCH_HTTPS_KEY: server.key };
      await startHere({ ...database(), ...files, HTTP_PORT, BATCH_RPC_TCP_PORT: String(await freePort()) }).up;
      const dockerfile = await readFile(join(import.meta.dirname, '../../Dockerfile'), 'utf8');
      const [, command = ''] = /^HEALTHCHECK .*\\\n {2}CMD \["node", "--eval", "(.*)"\]$/m.exec(dockerfile) ?? [];
      const check = async (port: string, env: NodeJS.ProcessEnv): Promise<unknown> => {
        const child = spawn(process.execPath, ['--eval', command.replace('3000', port)], { env, stdio: 'ignore' });
        return ((await once(child, 'exit')) as [unknown])[0];
      };
      expect(await check(HTTP_PORT, files)).toBe(0);
      expect(await check(HTTP_PORT, {})).toBe(1);
      expect(await check(String(await freePort()), files)).toBe(1);
    });

    it('answers no caller without a certificate where one is required', async () => {
      const HTTP_PORT = String(await freePort());
      const files = { BATCH_HTTPS_CERT: server.cert, BATCH_HTTPS_KEY: server.key, BATCH_HTTPS_CLIENT_CA: ca.cert };
      await startHere({ ...database(), ...files, HTTP_PORT, BATCH_RPC_TCP_PORT: String(await freePort()) }).up;
      const shown = { cert: await readFile(own.cert), key: await readFile(own.key) };
      expect((await https(HTTP_PORT, '/health/live', shown)).statusCode).toBe(200);
      await expect(https(HTTP_PORT, '/health/live')).rejects.toThrow(/alert|ECONNRESET|socket hang up/);
      const others = { cert: await readFile(ofOtherCa.cert), key: await readFile(ofOtherCa.key) };
      await expect(https(HTTP_PORT, '/health/live', others)).rejects.toThrow(/alert|ECONNRESET|socket hang up/);
      await expect(fetch(`http://localhost:${HTTP_PORT}/health/live`)).rejects.toThrow('fetch failed');
      expect((await https(HTTP_PORT, '/health/live', shown)).statusCode).toBe(200);
    });
  });
});

async function encryptedConnections({ client, database }: TlsPostgres): Promise<unknown> {
  const { rows } = await client.query<object>(
    `select (count(*) filter (where ssl))::int as encrypted, (count(*) filter (where not ssl))::int as plain
     from pg_stat_activity join pg_stat_ssl using (pid) where datname = $1 and pid <> pg_backend_pid()`,
    [database],
  );
  return rows[0];
}

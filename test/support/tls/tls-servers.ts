import { appendFile, chown, copyFile, chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import pg from 'pg';
import {
  ensureCluster,
  placeCluster,
  runningServer,
  startServer,
  stopServer,
} from '../../../src/services/database/embedded-cluster.js';
import { ignoreLateErrors } from '../../../src/services/tls/ignore-late-errors.js';
import { freePort } from '../free-port.js';
import { privateFolder, startPrivateProcess } from '../services/private-process.js';
import { uniqueName } from '../unique-name.js';
import type { TestCa, TestCertificate } from './test-certificates.js';

/** A server of a test that speaks nothing but TLS. */
export interface TlsServer {
  port: number;
  /** Shows another certificate to those who connect from now on. */
  show(certificate: TestCertificate): Promise<void>;
  stop(): Promise<void>;
}

export interface TlsPostgres extends TlsServer {
  username: string;
  password: string;
  /** A user who has to show a certificate as well. */
  certifiedUser: string;
  database: string;
  client: pg.Client;
}

const CERTIFIED = 'certified';
const HBA = `
hostssl all ${CERTIFIED} all scram-sha-256 clientcert=verify-ca
hostssl all all all scram-sha-256
`;

export async function startTlsPostgres(ca: TestCa, certificate: TestCertificate): Promise<TlsPostgres> {
  const cluster = await placeCluster(join(tmpdir(), uniqueName('batch-tls-postgres')));
  const port = await freePort();
  const inData = (name: string): string => join(cluster.dataFolder, name);
  const copy = async (from: string, name: string): Promise<void> => {
    await copyFile(from, inData(name));
    await chmod(inData(name), 0o600);
    if (cluster.account) await chown(inData(name), cluster.account.uid, cluster.account.gid);
  };
  const copyPair = async ({ cert, key }: TestCertificate): Promise<void> => {
    await copy(cert, 'server.crt');
    await copy(key, 'server.key');
  };
  const remove = (): Promise<void> => rm(cluster.directory, { recursive: true, force: true });
  await ensureCluster(cluster);
  await copyPair(certificate);
  await copy(ca.cert, 'root.crt');
  await appendFile(inData('postgresql.conf'), `ssl = on\nssl_ca_file = 'root.crt'\nfsync = off\n`);
  await writeFile(inData('pg_hba.conf'), HBA);
  await startServer(cluster, port);
  const { username, password } = (await runningServer(cluster))!;
  const database = uniqueName('tls');
  const connection = { host: 'localhost', port, user: username, password, ssl: { ca: await ca.read() } };
  const admin = new pg.Client({ ...connection, database: 'postgres' });
  admin.on('error', () => undefined);
  await admin.connect();
  await admin.query(`create database ${database}`);
  await admin.query(`create role ${CERTIFIED} login superuser password '${password}'`);
  await admin.end();
  const client = new pg.Client({ ...connection, database });
  client.on('error', () => undefined);
  await client.connect();
  return {
    port,
    username,
    password,
    certifiedUser: CERTIFIED,
    database,
    client,
    async show(other) {
      await copyPair(other);
      await client.query('select pg_reload_conf()');
      // The server has read it when it says so to somebody new.
      const shown = await readFile(other.cert, 'utf8');
      for (let attempt = 0; attempt < 100; attempt += 1) {
        if (await showsCertificate(connection, shown)) return;
      }
      throw new Error('PostgreSQL does not show the new certificate');
    },
    async stop() {
      await client.end();
      await stopServer(cluster, 'immediate');
      await remove();
    },
  };
}

/** Whether a new connection is shown this certificate; it may be one that nobody should trust. */
async function showsCertificate(connection: pg.ClientConfig, pem: string): Promise<boolean> {
  const expected = pem.replaceAll(/-----[^-]+-----|\s/g, '');
  const client = new pg.Client({ ...connection, database: 'postgres', ssl: { rejectUnauthorized: false } });
  // The server may end a connection in the middle of its handshake, while it takes other files.
  client.on('error', () => undefined);
  await client.connect();
  const { stream } = (client as unknown as { connection: { stream: TLSSocket } }).connection;
  const shown = stream.getPeerCertificate().raw.toString('base64');
  await client.end();
  return shown === expected;
}

/** It lets in only who shows a certificate of the CA. */
export async function startTlsRedis(ca: TestCa, certificate: TestCertificate): Promise<TlsServer> {
  const port = await freePort();
  const folder = await privateFolder('redis-tls');
  const tls = { ca: await ca.read(), ...(await pems(certificate)) };
  const admin = (): Redis => {
    const client = new Redis(port, 'localhost', {
      tls: { ...tls, rejectUnauthorized: false },
      lazyConnect: true,
      retryStrategy: null,
    });
    client.on('error', () => undefined);
    ignoreLateErrors(client);
    return client;
  };
  const files = ['--tls-cert-file', certificate.cert, '--tls-key-file', certificate.key, '--tls-ca-cert-file', ca.cert];
  const { stop } = await startPrivateProcess({
    name: 'Redis',
    command: ['redis-server', '--bind', '127.0.0.1', '--port', '0', '--tls-port', String(port), ...files, '--save', ''],
    folder,
    ready: async () => {
      const client = admin();
      await client.connect().finally(() => client.disconnect());
    },
    timeoutMs: 30_000,
  });
  return {
    port,
    async show({ cert, key }) {
      const client = admin();
      await client.connect();
      await client.config('SET', 'tls-cert-file', cert, 'tls-key-file', key);
      client.disconnect();
    },
    stop,
  };
}

/** TLS in front of a server on this machine that has none: its handshake is real, and its certificate any. */
export async function startTlsFront(certificate: TestCertificate, target: { port: number }): Promise<TlsServer> {
  const server = createServer(await pems(certificate), (caller) => {
    const upstream = connectTcp({ host: '127.0.0.1', port: target.port });
    for (const [one, other] of [[caller, upstream] as const, [upstream, caller] as const]) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
      one.pipe(other);
    }
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async show(other) {
      server.setSecureContext(await pems(other));
    },
    async stop() {
      server.close();
    },
  };
}

async function pems({ cert, key }: TestCertificate): Promise<{ cert: string; key: string }> {
  return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
}

import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describePlainText } from '../../src/bootstrap/describe-service.js';
import { databaseUrl } from '../../src/bootstrap/embedded-database.js';
import type { InvalidSettingsError } from '../../src/services/config/invalid-settings.error.js';
import { loadSettings } from '../../src/services/config/load-settings.js';
import { CertificateError } from '../../src/services/tls/certificates.js';
import { clientTls, databaseTls, redisTls } from '../../src/services/config/client-tls.js';
import { brokerRefusal } from '../../src/services/tls/tls-refusal.js';
import { TestCa, type TestCertificate } from '../support/tls/test-certificates.js';

let ca: TestCa;
let one: TestCertificate;
let other: TestCertificate;
let folder: string;

beforeAll(async () => {
  ca = await TestCa.make();
  [one, other] = [await ca.issue('one'), await ca.issue('other')];
  folder = await mkdtemp(join(tmpdir(), 'batch-test-tls-'));
});
afterAll(async () => {
  await ca.remove();
  await rm(folder, { recursive: true });
});

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

function faultsOf(environment: Record<string, string>): readonly string[] {
  try {
    loadSettings({ DB_HOST: 'db', ...environment });
    return [];
  } catch (error) {
    return (error as InvalidSettingsError).faults;
  }
}

describe('the files of certificates', () => {
  const amqps = { BATCH_SERVICE_RMQ_URL: 'amqps://broker' };
  const full = { DB_SSL: 'verify-full' };

  it.each<[what: string, environment: () => Promise<Record<string, string>> | Record<string, string>, told: RegExp]>([
    [
      'is not there',
      () => ({ ...full, DB_SSL_CA: '/nowhere/ca.pem' }),
      /^DB_SSL_CA: there is no file \/nowhere\/ca\.pem$/,
    ],
    ['is a folder', () => ({ ...full, DB_SSL_CA: folder }), /^DB_SSL_CA: the file .* cannot be read \(EISDIR\)$/],
    [
      'is no PEM',
      async () => ({ ...full, DB_SSL_CA: await file('a', 'x') }),
      /^DB_SSL_CA: expected certificates in PEM/,
    ],
    [
      'holds a broken certificate',
      async () => ({
        ...full,
        DB_SSL_CA: await file('b', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'),
      }),
      /^DB_SSL_CA: certificate 1 in .* cannot be parsed$/,
    ],
    [
      'is the key',
      () => ({ ...amqps, BATCH_RMQ_CERT: one.key, BATCH_RMQ_KEY: one.key }),
      /^BATCH_RMQ_CERT: expected certificates/,
    ],
    [
      'is the certificate',
      () => ({ ...amqps, BATCH_RMQ_CERT: one.cert, BATCH_RMQ_KEY: one.cert }),
      /^BATCH_RMQ_KEY: expected a private key/,
    ],
    [
      'is another key',
      () => ({ ...amqps, BATCH_RMQ_CERT: one.cert, BATCH_RMQ_KEY: other.key }),
      /^BATCH_RMQ_KEY: this is not the key .*BATCH_RMQ_CERT$/,
    ],
    ['lacks its key', () => ({ BATCH_HTTPS_CERT: one.cert }), /^BATCH_HTTPS_KEY: required with BATCH_HTTPS_CERT$/],
    [
      'lacks its certificate',
      () => ({ BATCH_HTTPS_KEY: one.key }),
      /^BATCH_HTTPS_CERT: required with BATCH_HTTPS_KEY$/,
    ],
    [
      'is encrypted',
      async () => ({
        BATCH_HTTPS_CERT: one.cert,
        BATCH_HTTPS_KEY: await file('c', '-----BEGIN ENCRYPTED PRIVATE KEY-----\n'),
      }),
      /^BATCH_HTTPS_KEY: the key in .* is encrypted; expected a key without a passphrase/,
    ],
  ])('are refused at the start, with the variable, when one %s', async (_what, environment, told) => {
    expect(faultsOf(await environment())).toEqual([expect.stringMatching(told)]);
  });

  it('are refused when the variable holds the key itself, which is not repeated', async () => {
    const key = await readFile(one.key, 'utf8');
    const faults = faultsOf({ BATCH_HTTPS_CERT: one.cert, BATCH_HTTPS_KEY: key });
    expect(faults).toEqual(['BATCH_HTTPS_KEY: expected the path of a PEM file; got the PEM text itself']);
  });

  it.each<[variables: () => Record<string, string>, told: RegExp]>([
    [() => ({ DB_SSL_CA: ca.cert }), /^DB_SSL_CA: nothing uses it: DB_SSL is disable; set DB_SSL=verify-full$/],
    [
      () => ({ DB_SSL: 'require', DB_SSL_CA: ca.cert }),
      /^DB_SSL_CA: DB_SSL=require does not verify the certificate: set DB_SSL=verify-full$/,
    ],
    [() => ({ DB_SSL: 'verify-ca' }), /^DB_SSL_CA: required with DB_SSL=verify-ca/],
    [
      () => ({ DB_SSL: 'verify-full', DB_HOST: '' }),
      /^DB_SSL: the embedded PostgreSQL does not support TLS: set DB_HOST$/,
    ],
    [
      () => ({ BATCH_SERVICE_RMQ_URL: 'amqp://broker', BATCH_RMQ_CA: ca.cert }),
      /^BATCH_RMQ_CA: .* does not begin with amqps:\/\/$/,
    ],
    [() => ({ REDIS_CA: ca.cert }), /^REDIS_CA: .*REDIS_URL does not begin with rediss:\/\/$/],
    [() => ({ BATCH_HTTPS_CLIENT_CA: ca.cert }), /^BATCH_HTTPS_CLIENT_CA: callers send certificates only over HTTPS/],
    [() => ({ DB_SSL: 'true' }), /^DB_SSL: expected disable, require, verify-ca or verify-full; got "true"/],
  ])('are refused where nothing would use them, or something is missing with them (%#)', (variables, told) => {
    expect(faultsOf(variables())).toEqual([expect.stringMatching(told)]);
  });

  it('are read again, and connections that are made then use what is new, also from a copy of the options', async () => {
    const [cert, key] = [join(folder, 'renewed.pem'), join(folder, 'renewed.key')];
    const renew = async (from: TestCertificate): Promise<void> => {
      await copyFile(from.cert, cert);
      await copyFile(from.key, key);
    };
    await renew(one);
    const { rabbitmq } = loadSettings({ ...amqps, BATCH_RMQ_CERT: cert, BATCH_RMQ_KEY: key });
    const certificates = rabbitmq?.certificates;
    const copied = { ...clientTls(certificates) };
    expect(certificates?.renew()).toBe(false);

    await renew(other);
    expect(certificates?.renew()).toBe(true);
    expect(copied).toMatchObject({
      cert: [await readFile(other.cert, 'utf8')],
      key: [await readFile(other.key, 'utf8')],
    });

    // Half of a renewal.
    await copyFile(one.key, key);
    expect(() => certificates?.renew()).toThrow(CertificateError);
    await rm(key);
    expect(() => certificates?.renew()).toThrow(/^BATCH_RMQ_KEY: there is no file/);
    expect(copied).toMatchObject({
      cert: [await readFile(other.cert, 'utf8')],
      key: [await readFile(other.key, 'utf8')],
    });
  });
});

describe('what verifies a server', () => {
  const ssl = (mode: string) =>
    databaseTls(
      loadSettings({ DB_HOST: 'db', DB_SSL: mode, ...(mode.startsWith('verify') && { DB_SSL_CA: ca.cert }) }).database
        .ssl,
    );

  it('is as strict as libpq says, whatever NODE_TLS_REJECT_UNAUTHORIZED says', () => {
    expect(ssl('disable')).toBe(false);
    expect(ssl('require')).toEqual({ rejectUnauthorized: false });
    expect(ssl('verify-ca')).toMatchObject({
      rejectUnauthorized: true,
      checkServerIdentity: expect.any(Function) as unknown,
    });
    expect(ssl('verify-full')).toEqual({
      rejectUnauthorized: true,
      ca: [expect.stringContaining('BEGIN CERTIFICATE')],
    });
    expect(redisTls({ url: 'REDISS://cache', certificates: undefined })).toEqual({ tls: { rejectUnauthorized: true } });
    expect(redisTls({ url: 'redis://cache', certificates: undefined })).toEqual({});
  });

  it('is told to other clients of the database as well', async () => {
    const url = await databaseUrl(loadSettings({ DB_HOST: 'db', DB_SSL: 'verify-full', DB_SSL_CA: ca.cert }));
    expect(Object.fromEntries(new URL(url).searchParams)).toEqual({ sslmode: 'verify-full', sslrootcert: ca.cert });
    expect(await databaseUrl(loadSettings({ DB_HOST: 'db' }))).not.toContain('ssl');
  });

  it.each([
    ['CERT_HAS_EXPIRED', /expired/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /another host.*BATCH_SERVICE_RMQ_URL/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', /BATCH_RMQ_CA/],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', /refuses our certificate.*BATCH_RMQ_CERT and BATCH_RMQ_KEY/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', /does not speak TLS/],
    ['ERR_SSL_NO_PROTOCOLS_AVAILABLE', /cannot agree on TLS/],
  ])('is told when it refuses: %s', (code, told) => {
    expect(brokerRefusal(Object.assign(new Error('x'), { code }))).toMatch(told);
  });

  it('is not blamed for what has nothing to do with it', () => {
    for (const code of ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND']) {
      expect(brokerRefusal(Object.assign(new Error('x'), { code }))).toBeUndefined();
    }
  });
});

describe('what the service says at its start of connections in plain text', () => {
  const keys = { BATCH_REQUIRE_API_KEY: 'true', API_KEY_ENCRYPTION_SECRET: 'x'.repeat(32) };

  it('is one warning with every neighbour on another machine, and the setting of each', () => {
    const lines = describePlainText(
      loadSettings({
        ...keys,
        DB_HOST: 'db',
        REDIS_URL: 'redis://:s3cret@cache:6379',
        BATCH_SERVICE_RMQ_URL: 'amqp://shop:s3cret@broker',
      }),
    );
    expect(lines).toEqual([
      expect.stringMatching(
        /^NOT ENCRYPTED.*PostgreSQL on db:5432 \(set DB_SSL=verify-full\); RabbitMQ on broker .*amqps:\); Redis on cache:6379 .*rediss:\); HTTP on 0\.0\.0\.0 .*BATCH_HTTPS_CERT/,
      ),
    ]);
    expect(lines.join()).not.toContain('s3cret');
  });

  it('is nothing of what stays on this machine, is encrypted, or has a proxy in front', () => {
    expect(describePlainText(loadSettings({ DB_HOST: '127.0.0.1', REDIS_URL: 'redis://[::1]' }))).toEqual([]);
    expect(describePlainText(loadSettings({ DB_HOST: '/run/postgresql' }))).toEqual([]);
    const far = {
      DB_HOST: 'db',
      DB_SSL: 'verify-full',
      REDIS_URL: 'rediss://cache',
      BATCH_SERVICE_RMQ_URL: 'amqps://b',
    };
    expect(describePlainText(loadSettings({ ...keys, ...far, BATCH_TRUST_PROXY: '1' }))).toEqual([]);
    expect(
      describePlainText(loadSettings({ ...keys, ...far, BATCH_HTTPS_CERT: one.cert, BATCH_HTTPS_KEY: one.key })),
    ).toEqual([]);
  });

  it('is a warning of a server that is not verified', () => {
    expect(describePlainText(loadSettings({ DB_HOST: 'db', DB_SSL: 'require' }))).toEqual([
      expect.stringMatching(
        /^NOT VERIFIED: with DB_SSL=require anybody may pretend to be PostgreSQL on db:5432\. Set DB_SSL=verify-full\.$/,
      ),
    ]);
    expect(describePlainText(loadSettings({ DB_HOST: 'db', DB_SSL: 'verify-ca', DB_SSL_CA: ca.cert }))).toEqual([
      expect.stringMatching(/whoever has a certificate of the same CA/),
    ]);
  });
});

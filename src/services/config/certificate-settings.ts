import { ownValue } from '../values/own-value.js';
import { CertificateError, Certificates, type CertificateVariables } from '../tls/certificates.js';

type Given = Readonly<Record<string, string | undefined>>;

const VARIABLES = {
  database: { ca: 'DB_SSL_CA', cert: 'DB_SSL_CERT', key: 'DB_SSL_KEY' },
  redis: { ca: 'REDIS_CA', cert: 'REDIS_CERT', key: 'REDIS_KEY' },
  rabbitmq: { ca: 'BATCH_RMQ_CA', cert: 'BATCH_RMQ_CERT', key: 'BATCH_RMQ_KEY' },
  http: { ca: 'BATCH_HTTPS_CLIENT_CA', cert: 'BATCH_HTTPS_CERT', key: 'BATCH_HTTPS_KEY' },
} as const satisfies Record<string, CertificateVariables>;

type Peer = keyof typeof VARIABLES;

export type ServiceCertificates = Record<Peer, Certificates | undefined> & { faults: string[] };

/** Reads the files that the variables name. Faults in them are reported together with all other faults. */
export function readCertificates(given: Given): ServiceCertificates {
  const faults: string[] = [];
  const of = (peer: Peer): Certificates | undefined => {
    const variables = VARIABLES[peer];
    const files = { ca: given[variables.ca], cert: given[variables.cert], key: given[variables.key] };
    if (Object.values(files).every((path) => path === undefined)) return undefined;
    try {
      return new Certificates(files, variables);
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      faults.push(...error.faults);
      return undefined;
    }
  };
  return { database: of('database'), redis: of('redis'), rabbitmq: of('rabbitmq'), http: of('http'), faults };
}

/** Reports certificates that nothing would use, because whoever sets them believes that they protect something. */
export function certificateFaults(given: Given): string[] {
  const { DB_SSL: mode = 'disable', DB_SSL_CA, DB_HOST } = given;
  const faults: string[] = [];
  if (mode === 'disable') faults.push(...unused(given, 'database', 'DB_SSL is disable; set DB_SSL=verify-full'));
  if (mode === 'require' && DB_SSL_CA !== undefined) {
    faults.push('DB_SSL_CA: DB_SSL=require does not verify the certificate: set DB_SSL=verify-full');
  }
  if (mode === 'verify-ca' && DB_SSL_CA === undefined) {
    faults.push(
      'DB_SSL_CA: required with DB_SSL=verify-ca; without it any server with a certificate of a public CA is accepted',
    );
  }
  if (mode !== 'disable' && DB_HOST === undefined)
    faults.push('DB_SSL: the embedded PostgreSQL does not support TLS: set DB_HOST');
  faults.push(
    ...unlessTls(given, 'redis', 'REDIS_URL', 'rediss:'),
    ...unlessTls(given, 'rabbitmq', 'BATCH_SERVICE_RMQ_URL', 'amqps:'),
  );
  if (given.BATCH_HTTPS_CLIENT_CA !== undefined && given.BATCH_HTTPS_CERT === undefined) {
    faults.push(
      'BATCH_HTTPS_CLIENT_CA: callers send certificates only over HTTPS: set BATCH_HTTPS_CERT and BATCH_HTTPS_KEY',
    );
  }
  return faults;
}

function unlessTls(given: Given, peer: Peer, variable: string, protocol: string): string[] {
  const url = ownValue(given, variable);
  if (url !== undefined && URL.canParse(url) && new URL(url).protocol === protocol) return [];
  return unused(given, peer, `${variable} does not begin with ${protocol}//`);
}

function unused(given: Given, peer: Peer, why: string): string[] {
  return Object.values(VARIABLES[peer])
    .filter((variable) => given[variable] !== undefined)
    .map((variable) => `${variable}: nothing uses it: ${why}`);
}

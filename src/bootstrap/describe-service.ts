import type { Settings } from '../services/config/settings.js';
import { isLoopback } from '../interfaces/loopback.js';
import { isOpen } from '../services/config/open-access.js';
import type { EmbeddedPostgres } from '../services/database/embedded-postgres.js';
import { redactUrl } from '../interfaces/redact-secrets.js';

export type EmbeddedPlace = Pick<EmbeddedPostgres, 'port' | 'directory'>;

/** Says at the start how to reach the service. */
export function describeService(settings: Settings): string[] {
  return settings.role === 'worker' ? describeWorker(settings) : describeApi(settings);
}

/** Reports temporary replacements, and what to set instead. */
export function describeStandIns(
  { rabbitmq, rpcTransport, notificationTcpUrl, role }: Settings,
  embedded: EmbeddedPlace | undefined,
): string[] {
  const lines: string[] = [];
  if (embedded) {
    lines.push(
      `EMBEDDED PostgreSQL on 127.0.0.1:${embedded.port}, ` +
        `data in ${embedded.directory}. It is for a first look; production refuses it. Set DB_HOST or DATABASE_URL to use your own server.`,
    );
  }
  if (!rabbitmq) {
    const transport = rpcTransport === 'tcp' ? 'RPC over TCP, ' : 'no RPC, only REST; ';
    const rpc = role === 'worker' ? '' : transport;
    const notified = notificationTcpUrl === undefined ? 'nowhere' : `to ${notificationTcpUrl}`;
    lines.push(`NO BROKER: ${rpc}notifications go ${notified}. Set BATCH_SERVICE_RMQ_URL for RabbitMQ.`);
  }
  return lines;
}

/** Warns if other machines may use the process without a key. */
export function describeOpenAccess(settings: Settings): string[] {
  if (!isOpen(settings)) return [];
  return [
    `OPEN ACCESS: HTTP_HOST=${settings.http.host}, and no API key is required (BATCH_ALLOW_OPEN_ACCESS=true). Everybody who can connect may write to the ` +
      'database. Set BATCH_REQUIRE_API_KEY=true to accept only callers with a key.',
  ];
}

/** Warns about connections that are in plain text, or whose server is not verified. */
export function describePlainText(settings: Settings): string[] {
  const { database, redis, rabbitmq } = settings;
  const lines: string[] = [];
  const remote = [
    ...(database.ssl.mode === 'disable' && !isLocal(database.host)
      ? [`PostgreSQL on ${database.host}:${database.port} (set DB_SSL=verify-full)`]
      : []),
    ...plainUrl(rabbitmq?.url, 'amqp:', 'RabbitMQ', 'BATCH_SERVICE_RMQ_URL to amqps:'),
    ...plainUrl(redis?.url, 'redis:', 'Redis', 'REDIS_URL to rediss:'),
    ...plainHttp(settings),
  ];
  if (remote.length > 0) {
    lines.push(
      `NOT ENCRYPTED, so others on the network between the machines can read it: ${remote.join('; ')}. See TLS in docs/operations.md.`,
    );
  }
  if (isVerifiedLess(database)) {
    lines.push(
      `NOT VERIFIED: with DB_SSL=${database.ssl.mode} ${whoPasses(database.ssl.mode)} may pretend to be PostgreSQL on ` +
        `${database.host}:${database.port}. Set DB_SSL=verify-full.`,
    );
  }
  return lines;
}

function isVerifiedLess({ host, ssl: { mode } }: Settings['database']): boolean {
  return (mode === 'require' || mode === 'verify-ca') && !isLocal(host);
}

const whoPasses = (mode: string): string =>
  mode === 'require' ? 'anybody' : 'whoever has a certificate of the same CA';

/** This machine, or a socket of it. */
function isLocal(host: string | undefined): boolean {
  return host === undefined || isLoopback(host) || host.startsWith('/');
}

function plainUrl(text: string | undefined, plain: string, what: string, cure: string): string[] {
  if (text === undefined) return [];
  const { protocol, hostname, host } = new URL(text);
  return protocol !== plain || isLocal(hostname) ? [] : [`${what} on ${host} (set ${cure})`];
}

/** If a trusted proxy is in front, the service assumes that the proxy uses TLS with the callers. */
function plainHttp({ role, http, workerHealthPort }: Settings): string[] {
  const listens = role !== 'worker' || workerHealthPort !== undefined;
  if (!listens || http.certificates !== undefined || http.trustProxy !== undefined || isLocal(http.host)) return [];
  return [`HTTP on ${http.host} (set BATCH_HTTPS_CERT, or BATCH_TRUST_PROXY for a proxy with TLS in front)`];
}

function describeApi({ http, rabbitmq, rpcTransport, rpcTcp }: Settings): string[] {
  const base = `${schemeOf(http)}://${reachableHost(http.host)}:${http.port}`;
  return [
    `REST: ${base}/api/v1, described at ${base}/api/docs; ${base}/health/ready, ${base}/metrics`,
    ...(rabbitmq ? [`RPC: RabbitMQ queue '${rabbitmq.queue}' at ${redactUrl(rabbitmq.url)}`] : []),
    ...(rpcTransport === 'tcp' ? [`RPC: TCP ${rpcTcp.host}:${rpcTcp.port}`] : []),
  ];
}

function describeWorker({ workerHealthPort, http }: Settings): string[] {
  if (workerHealthPort === undefined) return ['No HTTP port; set BATCH_WORKER_HEALTH_PORT for /health/* and /metrics'];
  const base = `${schemeOf(http)}://${reachableHost(http.host)}:${workerHealthPort}`;
  return [`HTTP only for ${base}/health/ready, ${base}/metrics`];
}

function schemeOf({ certificates }: Settings['http']): string {
  return certificates === undefined ? 'http' : 'https';
}

function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

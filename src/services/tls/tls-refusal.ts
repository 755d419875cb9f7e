import { tlsRefusal } from '../../interfaces/tls-refusal.js';

const BROKER = {
  host: 'BATCH_SERVICE_RMQ_URL',
  ca: 'BATCH_RMQ_CA',
  own: { cert: 'BATCH_RMQ_CERT', key: 'BATCH_RMQ_KEY' },
} as const;
const REDIS = { host: 'REDIS_URL', ca: 'REDIS_CA', own: { cert: 'REDIS_CERT', key: 'REDIS_KEY' } } as const;
const DATABASE = { host: 'DB_HOST', ca: 'DB_SSL_CA', own: { cert: 'DB_SSL_CERT', key: 'DB_SSL_KEY' } } as const;

/** Half a sentence after "RabbitMQ". Undefined when TLS is not the reason. */
export const brokerRefusal = (error: unknown): string | undefined => tlsRefusal(error, BROKER);
/** Half a sentence after the name of the server. Undefined when TLS is not the reason. */
export const databaseRefusal = (error: unknown): string | undefined => tlsRefusal(error, DATABASE);
/** Why Redis cannot be reached. */
export function redisReason(error: Error, url: string): string {
  const refusal = tlsRefusal(error, REDIS);
  if (refusal !== undefined) return `it ${refusal}`;
  return `${error.message}${url.startsWith('rediss:') ? resetHint(error, REDIS) : ''}`;
}

export const brokerHint = (error: Error): string => resetHint(error, BROKER);
export const databaseHint = (error: Error): string => resetHint(error, DATABASE);

/**
 * The server's alert may be lost with the connection. In TLS 1.3 the server checks our certificate when we already
 * send. It may end the connection before we have read the reason.
 */
function resetHint(error: Error, { own }: { own: { cert: string; key: string } }): string {
  const reset = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
  return reset ? `; if it asks for a certificate, check ${own.cert} and ${own.key}` : '';
}

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Redis } from 'ioredis';
import { isLostConnection } from '../../interfaces/lost-connection.js';
import { within } from '../runtime/within.js';
import { redisConnection } from './queue-connection.js';
import { redisRefusal } from './redis-refusal.js';

const CONNECT_TIMEOUT_MS = 3000;
const ANSWER_WITHIN_MS = 1000;
/** BullMQ uses no key of this name. */
const KEY = 'bull:write-check';

/** REDIS_URL says TLS where Redis speaks none, or none where it does. Waiting does not help. */
export class WrongSchemeError extends Error {}

/**
 * Whether Redis serves and takes writes.
 *
 * @throws what Redis answers, or why it cannot be reached
 */
export async function checkRedis(url: string): Promise<void> {
  try {
    await tryWrite(url);
  } catch (cause) {
    const fault = redisRefusal(cause) === undefined ? await faultOfScheme(url, cause) : undefined;
    throw fault === undefined ? cause : new WrongSchemeError(fault, { cause });
  }
}

/** As half a sentence after the name of the server. */
async function faultOfScheme(url: string, cause: unknown): Promise<string | undefined> {
  if (!url.startsWith('rediss:')) {
    return (await speaksTls(url)) ? 'speaks TLS: write rediss:// instead of redis:// in REDIS_URL' : undefined;
  }
  // Neither side of such a connection says anything: Redis waits for the end of a line.
  return isLostConnection(cause) && (await speaksPlain(url))
    ? 'does not speak TLS there: write redis:// instead of rediss:// in REDIS_URL, or set up TLS on the server'
    : undefined;
}

/** Writes nothing: XX writes only to a key that is there. Redis refuses it all the same when it takes no writes. */
async function tryWrite(url: string): Promise<void> {
  const redis = new Redis({
    ...redisConnection(url),
    ...{ lazyConnect: true, connectTimeout: CONNECT_TIMEOUT_MS, commandTimeout: CONNECT_TIMEOUT_MS },
    // While Redis reads its data, this check would wait and not say why.
    enableReadyCheck: false,
    retryStrategy: () => null,
  });
  // `connect` reports only that the connection is closed; the reason comes as an event.
  let reason: Error | undefined;
  redis.on('error', (error: Error) => (reason ??= error));
  try {
    await redis.connect();
    await redis.set(KEY, '', 'XX');
  } catch (error) {
    throw reason ?? error;
  } finally {
    redis.disconnect();
  }
}

/** Whether a Redis without TLS answers there: with PONG, or with an error such as NOAUTH. */
async function speaksPlain(url: string): Promise<boolean> {
  const { host, port } = redisConnection(url);
  const socket = connect({ host, port });
  const answered = once(socket, 'data').then(([bytes]) => /^[+-]/.test(String(bytes)));
  socket.write('PING\r\n');
  return settled(socket, answered);
}

/** Nothing is sent but a greeting, so no certificate has to be trusted. */
async function speaksTls(url: string): Promise<boolean> {
  const { host, port } = redisConnection(url);
  const socket = connectTls({ host, port, rejectUnauthorized: false });
  return settled(
    socket,
    once(socket, 'secureConnect').then(() => true),
  );
}

async function settled(socket: Socket, answered: Promise<boolean>): Promise<boolean> {
  // Without a listener an error that comes later would end the process.
  socket.on('error', () => undefined);
  const answer = await within(
    answered.catch(() => false),
    ANSWER_WITHIN_MS,
  );
  socket.destroy();
  return answer ?? false;
}

import { connect } from 'node:net';
import { Redis } from 'ioredis';
import { isLostConnection } from '../../interfaces/lost-connection.js';
import { within } from '../runtime/within.js';
import { redisConnection } from './queue-connection.js';

const CONNECT_TIMEOUT_MS = 3000;
const PLAIN_ANSWER_MS = 1000;
/** BullMQ uses no key of this name. */
const KEY = 'bull:write-check';

/** TLS was spoken to a Redis that speaks none. Waiting does not help. */
export class PlainRedisError extends Error {}

/**
 * Whether Redis serves and takes writes.
 *
 * @throws what Redis answers, or why it cannot be reached
 */
export async function checkRedis(url: string): Promise<void> {
  try {
    await tryWrite(url);
  } catch (error) {
    // Neither side of such a connection says anything: Redis waits for the end of a line.
    if (url.startsWith('rediss:') && isLostConnection(error) && (await speaksPlain(url))) {
      throw new PlainRedisError(
        'does not speak TLS there: write redis:// instead of rediss:// in REDIS_URL, or set up TLS on the server',
        { cause: error },
      );
    }
    throw error;
  }
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
  try {
    const answered = new Promise<boolean>((resolve) => {
      socket.once('data', (bytes) => resolve(/^[+-]/.test(bytes.toString('latin1'))));
      socket.once('error', () => resolve(false));
      socket.once('close', () => resolve(false));
    });
    socket.write('PING\r\n');
    return (await within(answered, PLAIN_ANSWER_MS)) ?? false;
  } finally {
    socket.destroy();
  }
}

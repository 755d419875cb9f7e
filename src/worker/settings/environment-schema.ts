import { z } from 'zod';
import { isEncoded, parseUrl } from '../../parts/settings/addresses.js';
import { expecting, rangeOf, wholeText } from './expecting.js';

/** Every variable that a worker reads as one value. Two more hold JSON: see `json-schemas.ts`. */
export const environmentSchema = z.object({
  WORKER_NAME: expecting(
    'a name of 1 to 100 letters, digits and . _ -, such as payment-worker',
    z.string().regex(/^[\w.-]{1,100}$/),
  ),
  WORKER_CONCURRENCY: expecting(rangeOf(1, 1000), wholeText(1, 1000).optional()),
  WORKER_SHUTDOWN_SECONDS: expecting(rangeOf(0, 3600), wholeText(0, 3600).default(30)),
  WORKER_BOOT_SECONDS: expecting(rangeOf(1, 3600), wholeText(1, 3600).default(30)),
  WORKER_LOCK_SECONDS: expecting(rangeOf(1, 3600), wholeText(1, 3600).default(30)),
  WORKER_PROBE_PORT: expecting(rangeOf(1, 65_535), wholeText(1, 65_535).optional()),
  WORKER_PROBE_HOST: z.string().default('127.0.0.1'),
  WORKER_HEALTH_FILE: z.string().optional(),
  WORKER_RECORD_INSTANCE: z.string().optional(),
});

/** Where the queues are; a producer reads these too. */
export const queueSchema = z.object({
  REDIS_URL: expecting(
    'a URL such as redis://127.0.0.1:6379/0 or rediss://user:password@host, in which a % of the password is written as %25',
    z.string().refine(isRedisUrl).optional(),
  ),
  WORKER_QUEUE_INSTANCE: z.string().optional(),
});

/** The path is the number of a database. */
function isRedisUrl(text: string): boolean {
  const { protocol, hostname, username, password, pathname } = parseUrl(text) ?? {};
  return (
    (protocol === 'redis:' || protocol === 'rediss:') &&
    hostname !== '' &&
    isEncoded(`${username}${password}`) &&
    /^(\/\d*)?$/.test(pathname ?? '')
  );
}

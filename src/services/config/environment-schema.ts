import { isIP } from 'node:net';
import { z } from 'zod';
import { isMailAddress } from '../../parts/mail/mail-address.js';
import { mailVariables } from '../../parts/mail/mail-variables.js';
import { isWebAddress } from '../../parts/settings/addresses.js';
import type { Variable } from '../../parts/settings/variables.js';
import { DB_SSL_MODES } from './client-tls.js';

export const ROLES = ['all', 'api', 'worker'] as const;
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const MOST_PROXIES = 10;
/** The names that Express uses. */
const NAMED_SUBNETS = ['loopback', 'linklocal', 'uniquelocal'];

/** What a variable takes, in the words of an error message. */
interface Expectation {
  expected: string;
  /** All allowed values of a variable that takes only a few words. */
  words?: readonly string[] | undefined;
}

const expectations = z.registry<Expectation>();

/**
 * Every environment variable that the service reads, with its default. Durations are milliseconds, sizes KiB.
 * `.env.example` documents the same variables, and a test compares the two.
 */
export const environmentSchema = z.object({
  NODE_ENV: oneOf(['development', 'production', 'test'], 'development'),
  LOG_LEVEL: oneOf(LOG_LEVELS, 'info'),

  /** `readDatabaseUrl` has replaced it by the variables below before they are checked. */
  DATABASE_URL: z.string().optional(),
  DB_HOST: z.string().optional(),
  DB_PORT: port(5432),
  DB_NAME: z.string().default('batch_service'),
  DB_USERNAME: z.string().default('postgres'),
  DB_PASSWORD: z.string().default(''),
  DB_SSL: oneOf(DB_SSL_MODES, 'disable'),
  DB_SSL_CA: z.string().optional(),
  DB_SSL_CERT: z.string().optional(),
  DB_SSL_KEY: z.string().optional(),
  DB_POOL_SIZE: count(10, 3, 500),
  DB_WAIT_TIMEOUT: count(30_000, 0, 600_000),
  BATCH_RUN_MIGRATIONS: optionalFlag(),
  DB_MIGRATION_USERNAME: z.string().optional(),
  DB_MIGRATION_PASSWORD: z.string().optional(),
  DB_MIGRATION_WAIT_TIMEOUT: count(600_000, 0, 86_400_000),
  BATCH_EMBEDDED_DIR: z.string().default('.data/postgres'),

  REDIS_URL: url('redis:', 'rediss:'),
  REDIS_CA: z.string().optional(),
  REDIS_CERT: z.string().optional(),
  REDIS_KEY: z.string().optional(),

  BATCH_SERVICE_RMQ_URL: url('amqp:', 'amqps:'),
  BATCH_SERVICE_RMQ_QUEUE: expecting(
    'a name of 1 to 200 characters',
    z.string().min(1).max(200).default('batch_service'),
  ),
  BATCH_RMQ_PREFETCH: count(1000, 1, 65_535),
  BATCH_RMQ_REQUIRE_USER_ID: flag(false),
  BATCH_RMQ_REPLY_TO: expecting(
    'names of at most 20 queues, separated by commas, each of 1 to 255 bytes, in which * stands for any characters',
    z
      .string()
      .default('')
      .refine((text) => listOf(text).length <= 20 && listOf(text).every((name) => Buffer.byteLength(name) <= 255)),
  ),
  BATCH_RMQ_CA: z.string().optional(),
  BATCH_RMQ_CERT: z.string().optional(),
  BATCH_RMQ_KEY: z.string().optional(),
  BATCH_RPC_TCP_PORT: port(3001),
  BATCH_NOTIFICATION_TCP_URL: url('tcp:'),
  BATCH_NOTIFICATION_MAX_KB: count(1024, 64, 131_072),

  BATCH_ROLE: oneOf(ROLES, 'all'),
  HTTP_HOST: z.string().optional(),
  HTTP_PORT: port(3000),
  BATCH_HTTPS_CERT: z.string().optional(),
  BATCH_HTTPS_KEY: z.string().optional(),
  BATCH_HTTPS_CLIENT_CA: z.string().optional(),
  BATCH_WORKER_HEALTH_PORT: expecting('a whole number from 1 to 65535', whole(1, 65_535).optional()),

  BATCH_PROCESS_OPERATION_INTERVAL: count(5000, 10, 3_600_000),
  BATCH_PROCESS_OPERATION_LIMIT: count(1000, 1, 10_000),
  BATCH_CHUNK_MAX_KB: count(16_384, 64, 262_144),
  BATCH_EXECUTION_MODE: oneOf(['grouped', 'serial'], 'grouped'),
  BATCH_SERIAL_TARGETS: z.string().default(''),
  BATCH_STATEMENT_TIMEOUT: count(60_000, 100, 3_600_000),
  BATCH_LOCK_TIMEOUT: count(10_000, 10, 3_600_000),
  BATCH_LANE_RETRY_LIMIT: count(20, 1, 10_000),
  BATCH_CHUNK_MAX_SUBTRANSACTIONS: count(500, 10, 100_000),
  BATCH_OPERATION_RETRY_DELAY: count(1000, 1, 3_600_000),
  BATCH_STUCK_TIMEOUT: count(600_000, 1000, 86_400_000),
  BATCH_WAKE_UP: flag(true),
  BATCH_WAKE_UP_DELAY: count(10, 0, 60_000),

  BATCH_EXAMPLE_JOBS: optionalFlag(),

  BATCH_ALLOWED_TARGETS: z.string().default('public.*'),
  BATCH_MAX_BODY_KB: count(16_384, 1, 131_072),
  BATCH_MAX_OPERATION_KB: count(1024, 1, 16_384),
  BATCH_PLAN_OPERATION_LIMIT: count(1000, 1, 10_000),

  BATCH_MAX_BACKLOG: count(2_000_000, 0, 1_000_000_000),
  BATCH_MAX_SCHEDULED: count(2_000_000, 0, 1_000_000_000),
  BATCH_BACKLOG_SHARE: count(80, 1, 100),
  BATCH_MAX_IN_FLIGHT_KB: count(131_072, 1024, 16_777_216),

  BATCH_REQUIRE_API_KEY: optionalFlag(),
  BATCH_ALLOW_OPEN_ACCESS: flag(false),
  BATCH_TRUST_PROXY: expecting(
    'a number of proxies from 1 to 10, or the addresses of proxies, such as 10.0.0.0/8, loopback',
    z
      .string()
      .transform((text, context) => trustedProxies(text) ?? (context.addIssue('none'), z.NEVER))
      .optional(),
  ),
  API_KEY_ENCRYPTION_SECRET: secret(),
  API_KEY_ENCRYPTION_SECRET_PREVIOUS: secret(),
  BATCH_RATE_LIMIT: count(10_000, 0, 100_000_000),
  BATCH_RATE_LIMIT_WINDOW: count(10_000, 1000, 3_600_000),
  BATCH_KEYLESS_RATE_LIMIT: count(100, 0, 100_000_000),

  BATCH_RETENTION_COMPLETED_HOURS: count(168, 0, 87_600),
  BATCH_RETENTION_FAILED_HOURS: count(720, 0, 87_600),
  BATCH_RETENTION_JOBS_HOURS: count(720, 0, 87_600),

  SMTP_URL: expectingVariable(mailVariables.SMTP_URL),
  SES_REGION: expectingVariable(mailVariables.SES_REGION),
  MAIL_FROM: expectingVariable(mailVariables.MAIL_FROM),
  MAIL_TEMPLATE_DIR: expectingVariable(mailVariables.MAIL_TEMPLATE_DIR),

  BATCH_ALERT_NAME: expecting(
    'a text of 1 to 100 characters in one line',
    z
      .string()
      .regex(/^\P{C}{1,100}$/u)
      .default('Batch Service'),
  ),
  BATCH_ALERT_SLACK_URL: webAddress(),
  BATCH_ALERT_EMAIL_TO: expecting(
    'at most 50 addresses, separated by commas',
    z
      .string()
      .default('')
      .refine((text) => listOf(text).length <= 50 && listOf(text).every(isMailAddress)),
  ),
  BATCH_ALERT_WEBHOOK_URL: webAddress(),
  BATCH_ALERT_WEBHOOK_SECRET: secret(),
  BATCH_ALERT_INTERVAL: count(5000, 100, 600_000),
  BATCH_ALERT_REPEAT_MINUTES: count(60, 0, 10_080),
  BATCH_ALERT_RESOLVE_SECONDS: count(30, 0, 86_400),
  BATCH_ALERT_LAG_SECONDS: count(60, 0, 604_800),
  BATCH_ALERT_FAILURE_PERCENT: count(10, 0, 100),
  BATCH_ALERT_FAILURE_MINIMUM: count(50, 1, 1_000_000_000),
  BATCH_ALERT_FAILURE_WINDOW_SECONDS: count(300, 10, 86_400),
  BATCH_ALERT_LANE_BLOCKED_SECONDS: count(60, 0, 604_800),
  BATCH_ALERT_LANE_LOCKED_SECONDS: count(30, 0, 604_800),
  BATCH_ALERT_PARKED_MESSAGES: count(1, 0, 1_000_000_000),
  BATCH_ALERT_PARKED_NOTIFICATIONS: count(1, 0, 1_000_000_000),
  BATCH_ALERT_JOB_FAILED_HOURS: count(24, 0, 87_600),
  BATCH_ALERT_JOB_MISSED_SECONDS: count(300, 0, 604_800),
  BATCH_ALERT_NO_WORKER_SECONDS: count(30, 0, 604_800),

  BATCH_SHUTDOWN_TIMEOUT: count(30_000, 100, 600_000),
  BATCH_HANG_TIMEOUT: count(10_000, 0, 3_600_000),
});

export type Environment = z.infer<typeof environmentSchema>;

/** @param name a variable that can have a wrong value */
export function expectationOf(name: string): Expectation {
  return expectations.get(environmentSchema.shape[name as keyof Environment])!;
}

function expecting<Type extends z.ZodType>(expected: string, type: Type, words?: readonly string[]): Type {
  expectations.add(type, { expected, words });
  return type;
}

/** A variable that a part reads as well. */
function expectingVariable<Type extends z.ZodType>({ expected, schema }: Variable<Type>): Type {
  return expecting(expected, schema);
}

function count(fallback: number, min: number, max: number) {
  return expecting(`a whole number from ${min} to ${max}`, whole(min, max).default(fallback));
}

function port(fallback: number) {
  return count(fallback, 1, 65_535);
}

function whole(min: number, max: number) {
  return z.coerce.number().int().min(min).max(max);
}

function oneOf<const Words extends readonly string[]>(words: Words, fallback: Words[number]) {
  const expected = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  return expecting(expected, z.enum(words).default(fallback as never), words);
}

function flag(fallback: boolean) {
  return expecting('true or false', boolean().default(fallback));
}

function optionalFlag() {
  return expecting('true or false', boolean().optional());
}

function boolean() {
  return z.enum(['true', 'false']).transform((text) => text === 'true');
}

function secret() {
  return expecting('a random text of at least 32 characters', z.string().min(32).optional());
}

function url(...protocols: string[]) {
  return expecting(
    `a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    z
      .string()
      .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol))
      .optional(),
  );
}

/** The address of another program's HTTP. `fetch` refuses an address with a user. */
function webAddress() {
  return expecting(
    'a URL that begins with https:// or http://, without user and password',
    z.string().refine(isWebAddress).optional(),
  );
}

/**
 * The number of proxies in front (`1`), or their addresses, subnets and names of subnets (`10.0.0.0/8, loopback`).
 * `true` is refused: Express would trust every sender, so any caller could claim any address.
 */
function trustedProxies(text: string): number | string[] | undefined {
  if (/^\d{1,2}$/.test(text)) return Number(text) >= 1 && Number(text) <= MOST_PROXIES ? Number(text) : undefined;
  const proxies = text.split(',').map((entry) => entry.trim());
  return proxies.every(isProxy) ? proxies : undefined;
}

function isProxy(text: string): boolean {
  if (NAMED_SUBNETS.includes(text)) return true;
  const [address = '', bits, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128))
  );
}

/** The entries of a variable that holds a list: `a, b`. */
export function listOf(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean);
}

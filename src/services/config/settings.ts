import { z } from 'zod';
import { TargetList } from '../catalog/target-list.js';
import { shown } from '../catalog/shown.js';
import { didYouMean } from '../errors/nearest-name.js';
import { DB_SSL_MODES, type DatabaseSsl } from '../tls/client-tls.js';
import type { Certificates } from '../tls/certificates.js';
import { ownValue } from '../values/own-value.js';
import { certificateFaults, readCertificates, type ServiceCertificates } from './certificate-settings.js';
import { InvalidSettingsError } from './invalid-settings.error.js';
import { openAccessFaults, plainRpcFaults, type Listener } from './open-access.js';
import { trustedProxies, type TrustedProxies } from './trusted-proxies.js';
import { unknownVariableFaults } from './unknown-variables.js';

export const SETTINGS = Symbol('SETTINGS');

export const ROLES = ['all', 'api', 'worker'] as const;
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** What a variable takes, in the words in which a wrong value is refused. */
function expecting<Type extends z.ZodType>(expected: string, type: Type, words: readonly string[] = []): Type {
  return type.meta({ expected, words });
}

const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const count = (fallback: number, min: number, max: number) =>
  expecting(`a whole number from ${min} to ${max}`, whole(min, max).default(fallback));
const port = (fallback: number) => count(fallback, 1, 65_535);
const oneOf = <const Words extends readonly string[]>(words: Words, fallback: Words[number]) =>
  expecting(listed(words), z.enum(words).default(fallback as never), words);
const flag = (fallback: boolean) =>
  expecting(
    'true or false',
    z
      .enum(['true', 'false'])
      .default(fallback ? 'true' : 'false')
      .transform((text) => text === 'true'),
  );
const optionalFlag = () => expecting('true or false', z.enum(['true', 'false']).optional());
const url = (...protocols: string[]) =>
  expecting(
    `a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    z
      .string()
      .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol))
      .optional(),
  );

/**
 * Every environment variable the service reads, with its default. Durations are milliseconds, sizes KiB.
 * `.env.example` documents the same list; a test holds the two together.
 */
export const environmentSchema = z.object({
  NODE_ENV: oneOf(['development', 'production', 'test'], 'development'),
  LOG_LEVEL: oneOf(LOG_LEVELS, 'info'),

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
  BATCH_RPC_TCP_HOST: z.string().default('127.0.0.1'),
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
  BATCH_CHUNK_RETRY_LIMIT: count(20, 1, 10_000),
  BATCH_OPERATION_RETRY_DELAY: count(1000, 1, 3_600_000),
  BATCH_STUCK_TIMEOUT: count(600_000, 1000, 86_400_000),
  BATCH_WAKE_UP: flag(true),
  BATCH_WAKE_UP_DELAY: count(10, 0, 60_000),

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
  API_KEY_ENCRYPTION_SECRET: expecting('a random text of at least 32 characters', z.string().min(32).optional()),
  API_KEY_ENCRYPTION_SECRET_PREVIOUS: expecting(
    'a random text of at least 32 characters',
    z.string().min(32).optional(),
  ),
  BATCH_RATE_LIMIT: count(10_000, 0, 100_000_000),
  BATCH_RATE_LIMIT_WINDOW: count(10_000, 1000, 3_600_000),
  BATCH_KEYLESS_RATE_LIMIT: count(100, 0, 100_000_000),

  BATCH_RETENTION_COMPLETED_HOURS: count(168, 0, 87_600),
  BATCH_RETENTION_FAILED_HOURS: count(720, 0, 87_600),

  BATCH_SHUTDOWN_TIMEOUT: count(30_000, 100, 600_000),
  BATCH_HANG_TIMEOUT: count(10_000, 0, 3_600_000),
});

type Environment = z.infer<typeof environmentSchema>;

/** The settings as the code reads them: grouped by what they are for. */
export interface Settings {
  environment: Environment['NODE_ENV'];
  logLevel: Environment['LOG_LEVEL'];
  role: Environment['BATCH_ROLE'];
  /** `host` is undefined until an embedded server stands in, see `services/database/embedded-postgres.ts`. */
  database: {
    host: string | undefined;
    port: number;
    name: string;
    username: string;
    password: string;
    ssl: DatabaseSsl;
    poolSize: number;
    /** How long a starting process waits for a server that does not answer. */
    waitMs: number;
    runMigrations: boolean;
    /** Who migrates; undefined: the same as who runs the service. */
    migration: { username: string; password: string } | undefined;
    /** How long migrations may wait for one another and for locks. */
    migrationWaitMs: number;
    embeddedDir: string;
  };
  redis: { url: string; certificates: Certificates | undefined } | undefined;
  rabbitmq:
    | {
        url: string;
        queue: string;
        prefetch: number;
        /** Only messages that tell the user of the broker who sent them. */
        requireUserId: boolean;
        /** Queues that answers may go to, with stars. */
        replyTo: string[];
        certificates: Certificates | undefined;
      }
    | undefined;
  rpcTcp: { host: string; port: number };
  notificationTcpUrl: string | undefined;
  /** A notification that is larger is sent in parts. */
  notificationMaxKb: number;
  http: {
    host: string;
    port: number;
    /** Of HTTPS; its `ca` is that of the callers' certificates. Undefined: plain HTTP. */
    certificates: Certificates | undefined;
    /** The proxies whose `X-Forwarded-For` counts, as Express takes them; undefined: none. */
    trustProxy: TrustedProxies | undefined;
  };
  workerHealthPort: number | undefined;
  poller: { intervalMs: number; limit: number; maxKb: number; wakeUp: boolean; wakeUpDelayMs: number };
  execution: {
    mode: Environment['BATCH_EXECUTION_MODE'];
    serialTargets: string[];
    statementTimeoutMs: number;
    lockTimeoutMs: number;
    /** How often a lane is tried whose first operation meets faults of nobody's, before it is parked. */
    laneTries: number;
    /** Before the first retry of an operation that asked for it; doubles with each. */
    operationRetryDelayMs: number;
    /** A chunk that runs longer is taken for stuck. */
    stuckTimeoutMs: number;
  };
  intake: {
    allowedTargets: string[];
    maxBodyKb: number;
    maxOperationKb: number;
    /** Operations of which one request may ask how they would be grouped. */
    planLimit: number;
    /** Operations that may wait to be executed; 0: any number. */
    maxBacklog: number;
    /** Operations that may wait for their time; 0: any number. */
    maxScheduled: number;
    /** What one party may have of both, in percent. */
    backlogShare: number;
    /** Bodies of requests that are being answered, in all. */
    maxInFlightKb: number;
  };
  access: {
    required: boolean;
    /** Other machines may reach a process that asks for no keys. */
    allowOpen: boolean;
    /** Encrypts what is stored of API keys. */
    secret: string | undefined;
    /** The one before, while keys are still encrypted with it. */
    previousSecret: string | undefined;
    /** Requests of a key in each window; 0: any number. */
    rateLimit: number;
    rateLimitWindowMs: number;
    /** Requests without a valid key of an address in each window; 0: any number. */
    keylessRateLimit: number;
  };
  /** Hours that settled operations are kept; 0: for ever. */
  retention: { completedHours: number; failedHours: number };
  shutdownTimeoutMs: number;
  /** A process whose event loop stands still for so long is ended; 0: never. */
  hangTimeoutMs: number;
}

/**
 * Reads the environment once. An empty variable counts as absent, as compose files and CI systems set them.
 *
 * @throws InvalidSettingsError that lists every fault.
 */
export function loadSettings(environment: NodeJS.ProcessEnv): Settings {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = environmentSchema.safeParse(given);
  const certificates = readCertificates(given);
  const settings = parsed.success ? toSettings(parsed.data, certificates) : undefined;
  const faults = [
    ...unknownVariableFaults(environment, Object.keys(environmentSchema.shape)),
    ...(parsed.error?.issues ?? []).map(({ path: [name] }) =>
      wrongValue(String(name), ownValue(given, String(name)) ?? ''),
    ),
    ...targetFaults(given.BATCH_ALLOWED_TARGETS, (entries) => TargetList.allowed(entries)),
    ...targetFaults(given.BATCH_SERIAL_TARGETS, (entries) => TargetList.serial(entries)),
    ...productionFaults(given),
    ...accessFaults(given),
    ...migrationFaults(given),
    ...certificates.faults,
    ...certificateFaults(given),
    ...(settings === undefined ? [] : listenerFaults(settings)),
  ];
  if (settings === undefined || faults.length > 0) throw new InvalidSettingsError(faults);
  return settings;
}

function listenerFaults(settings: Settings): string[] {
  const { role, rabbitmq, rpcTcp, access } = settings;
  const open = openAccessFaults(openListeners(settings), access.allowOpen);
  if (!access.required || role === 'worker' || rabbitmq !== undefined) return open;
  return [...open, ...plainRpcFaults({ variable: 'BATCH_RPC_TCP_HOST', host: rpcTcp.host }, access.allowOpen)];
}

/** What a process with these settings opens to callers of whom no key is asked. */
export function openListeners({ role, access, http, rpcTcp, rabbitmq, workerHealthPort }: Settings): Listener[] {
  if (access.required) return [];
  const rest = { variable: 'HTTP_HOST', host: http.host };
  if (role === 'worker') return workerHealthPort === undefined ? [] : [rest];
  return rabbitmq === undefined ? [rest, { variable: 'BATCH_RPC_TCP_HOST', host: rpcTcp.host }] : [rest];
}

/** In words of our own: what the library says of a value is for whoever wrote the schema. */
function wrongValue(name: string, value: string): string {
  const { expected, words } = expectationOf(name);
  const got = mayBeSecret(name) ? '' : `; got ${shown(value)}${didYouMean(value, words)}`;
  return `${name}: expected ${expected}${got}`;
}

function expectationOf(name: string): { expected: string; words: readonly string[] } {
  const type: z.ZodType = environmentSchema.shape[name as keyof typeof environmentSchema.shape];
  return type.meta() as ReturnType<typeof expectationOf>;
}

/** What was given helps to find the fault, but a URL or a secret may not appear in a log. */
function mayBeSecret(name: string): boolean {
  return /URL|PASSWORD|SECRET/.test(name);
}

function targetFaults(text: string | undefined, parse: (entries: readonly string[]) => TargetList): readonly string[] {
  if (text === undefined) return [];
  try {
    parse(listOf(text));
    return [];
  } catch (error) {
    if (error instanceof InvalidSettingsError) return error.faults;
    throw error;
  }
}

function productionFaults(env: Record<string, string | undefined>): string[] {
  if (env.NODE_ENV !== 'production') return [];
  const faults: string[] = [];
  if (env.DB_HOST === undefined) {
    faults.push('DB_HOST: required in production; the embedded PostgreSQL is for a first look only');
  }
  if (env.BATCH_NOTIFICATION_TCP_URL !== undefined) {
    faults.push(
      'BATCH_NOTIFICATION_TCP_URL: not in production; set BATCH_SERVICE_RMQ_URL, notifications then go through RabbitMQ',
    );
  }
  if (env.BATCH_REQUIRE_API_KEY === 'false') {
    faults.push('BATCH_REQUIRE_API_KEY: cannot be false in production; make keys with `node dist/keys.js create`');
  }
  return faults;
}

function accessFaults(env: Record<string, string | undefined>): string[] {
  const { API_KEY_ENCRYPTION_SECRET: secret, API_KEY_ENCRYPTION_SECRET_PREVIOUS: previous } = env;
  if (previous !== undefined && previous === secret) {
    return [
      'API_KEY_ENCRYPTION_SECRET_PREVIOUS: the same as API_KEY_ENCRYPTION_SECRET; expected the one before it, or none',
    ];
  }
  if (previous !== undefined && secret === undefined) {
    return ['API_KEY_ENCRYPTION_SECRET_PREVIOUS: needs API_KEY_ENCRYPTION_SECRET, the new one, beside it'];
  }
  const required = env.NODE_ENV === 'production' || env.BATCH_REQUIRE_API_KEY === 'true';
  if (!required || secret !== undefined) return [];
  return [
    'API_KEY_ENCRYPTION_SECRET: required where API keys are; a random text of at least 32 characters, the same for every process',
  ];
}

function migrationFaults(env: Record<string, string | undefined>): string[] {
  if (env.DB_MIGRATION_PASSWORD === undefined || env.DB_MIGRATION_USERNAME !== undefined) return [];
  return ['DB_MIGRATION_PASSWORD: means nothing without DB_MIGRATION_USERNAME; set both, or neither'];
}

function toSettings(env: Environment, certificates: ServiceCertificates): Settings {
  const production = env.NODE_ENV === 'production';
  const required = env.BATCH_REQUIRE_API_KEY === undefined ? production : env.BATCH_REQUIRE_API_KEY === 'true';
  return {
    environment: env.NODE_ENV,
    logLevel: env.LOG_LEVEL,
    role: env.BATCH_ROLE,
    database: {
      host: env.DB_HOST,
      port: env.DB_PORT,
      name: env.DB_NAME,
      username: env.DB_USERNAME,
      password: env.DB_PASSWORD,
      ssl: { mode: env.DB_SSL, certificates: certificates.database },
      poolSize: env.DB_POOL_SIZE,
      waitMs: env.DB_WAIT_TIMEOUT,
      runMigrations: env.BATCH_RUN_MIGRATIONS === undefined ? !production : env.BATCH_RUN_MIGRATIONS === 'true',
      migration:
        env.DB_MIGRATION_USERNAME === undefined
          ? undefined
          : { username: env.DB_MIGRATION_USERNAME, password: env.DB_MIGRATION_PASSWORD ?? '' },
      migrationWaitMs: env.DB_MIGRATION_WAIT_TIMEOUT,
      embeddedDir: env.BATCH_EMBEDDED_DIR,
    },
    redis: env.REDIS_URL === undefined ? undefined : { url: env.REDIS_URL, certificates: certificates.redis },
    rabbitmq:
      env.BATCH_SERVICE_RMQ_URL === undefined
        ? undefined
        : {
            url: env.BATCH_SERVICE_RMQ_URL,
            queue: env.BATCH_SERVICE_RMQ_QUEUE,
            prefetch: env.BATCH_RMQ_PREFETCH,
            requireUserId: env.BATCH_RMQ_REQUIRE_USER_ID,
            replyTo: listOf(env.BATCH_RMQ_REPLY_TO),
            certificates: certificates.rabbitmq,
          },
    rpcTcp: { host: env.BATCH_RPC_TCP_HOST, port: env.BATCH_RPC_TCP_PORT },
    notificationTcpUrl: env.BATCH_NOTIFICATION_TCP_URL,
    notificationMaxKb: env.BATCH_NOTIFICATION_MAX_KB,
    http: {
      host: env.HTTP_HOST ?? (required ? '0.0.0.0' : '127.0.0.1'),
      port: env.HTTP_PORT,
      certificates: certificates.http,
      trustProxy: env.BATCH_TRUST_PROXY,
    },
    workerHealthPort: env.BATCH_WORKER_HEALTH_PORT,
    poller: {
      intervalMs: env.BATCH_PROCESS_OPERATION_INTERVAL,
      limit: env.BATCH_PROCESS_OPERATION_LIMIT,
      maxKb: env.BATCH_CHUNK_MAX_KB,
      wakeUp: env.BATCH_WAKE_UP,
      wakeUpDelayMs: env.BATCH_WAKE_UP_DELAY,
    },
    execution: {
      mode: env.BATCH_EXECUTION_MODE,
      serialTargets: listOf(env.BATCH_SERIAL_TARGETS),
      statementTimeoutMs: env.BATCH_STATEMENT_TIMEOUT,
      lockTimeoutMs: env.BATCH_LOCK_TIMEOUT,
      laneTries: env.BATCH_CHUNK_RETRY_LIMIT,
      operationRetryDelayMs: env.BATCH_OPERATION_RETRY_DELAY,
      stuckTimeoutMs: env.BATCH_STUCK_TIMEOUT,
    },
    intake: {
      allowedTargets: listOf(env.BATCH_ALLOWED_TARGETS),
      maxBodyKb: env.BATCH_MAX_BODY_KB,
      maxOperationKb: env.BATCH_MAX_OPERATION_KB,
      planLimit: env.BATCH_PLAN_OPERATION_LIMIT,
      maxBacklog: env.BATCH_MAX_BACKLOG,
      maxScheduled: env.BATCH_MAX_SCHEDULED,
      backlogShare: env.BATCH_BACKLOG_SHARE,
      maxInFlightKb: env.BATCH_MAX_IN_FLIGHT_KB,
    },
    access: {
      required,
      allowOpen: env.BATCH_ALLOW_OPEN_ACCESS,
      secret: env.API_KEY_ENCRYPTION_SECRET,
      previousSecret: env.API_KEY_ENCRYPTION_SECRET_PREVIOUS,
      rateLimit: env.BATCH_RATE_LIMIT,
      rateLimitWindowMs: env.BATCH_RATE_LIMIT_WINDOW,
      keylessRateLimit: env.BATCH_KEYLESS_RATE_LIMIT,
    },
    retention: {
      completedHours: env.BATCH_RETENTION_COMPLETED_HOURS,
      failedHours: env.BATCH_RETENTION_FAILED_HOURS,
    },
    shutdownTimeoutMs: env.BATCH_SHUTDOWN_TIMEOUT,
    hangTimeoutMs: env.BATCH_HANG_TIMEOUT,
  };
}

/** `a, b or c` */
function listed(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean);
}

/** One database of DATABASE_CONFIG. */
export interface DatabaseInstance {
  dbms: 'postgres';
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  /** The most connections that this process opens to it. */
  poolSize: number;
  /** As libpq: `require` encrypts and verifies nothing, `verify-full` verifies the certificate and the name of the host. */
  ssl: 'disable' | 'require' | 'verify-full';
}

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export interface LoggerSettings {
  level: (typeof LOG_LEVELS)[number];
  /** `json`: one JSON object a line. `pretty`: lines for people. */
  format: 'json' | 'pretty';
}

/** Where the queues are. */
export type QueueSettings = { kind: 'redis'; url: string } | { kind: 'postgres'; instance: string };

/** What the environment says, checked. Times are milliseconds. */
export interface WorkerSettings {
  name: string;
  /** Jobs at the same time in this process, for each queue. Undefined: the variable is not set. */
  concurrency: number | undefined;
  queue: QueueSettings;
  /** By name. */
  instances: ReadonlyMap<string, DatabaseInstance>;
  /** Where `failed_jobs` is written. Undefined: there is no instance for it. */
  recordInstance: string | undefined;
  logger: LoggerSettings;
  shutdownMs: number;
  bootMs: number;
  /** A job whose worker does not answer for this time is taken over. */
  lockMs: number;
  probe: { host: string; port: number } | undefined;
  healthFile: string | undefined;
}

/** The part of the settings that a producer needs. */
export type ProducerSettings = Pick<WorkerSettings, 'queue' | 'instances'>;

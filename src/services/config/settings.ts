import { mailSettings } from '../../parts/mail/mail-variables.js';
import type { ServiceCertificates } from './certificate-settings.js';
import { listOf, type Environment } from './environment-schema.js';

export const SETTINGS = Symbol('SETTINGS');

export type Settings = ReturnType<typeof toSettings>;

/** Groups the variables by what they are for. */
export function toSettings(env: Environment, certificates: ServiceCertificates) {
  const production = env.NODE_ENV === 'production';
  const requireKeys = env.BATCH_REQUIRE_API_KEY ?? production;
  return {
    environment: env.NODE_ENV,
    logLevel: env.LOG_LEVEL,
    role: env.BATCH_ROLE,
    database: {
      /** Undefined until the embedded server is started, see `services/database/embedded-postgres.ts`. */
      host: env.DB_HOST,
      port: env.DB_PORT,
      name: env.DB_NAME,
      username: env.DB_USERNAME,
      password: env.DB_PASSWORD,
      ssl: { mode: env.DB_SSL, certificates: certificates.database },
      poolSize: env.DB_POOL_SIZE,
      /** How long a starting process waits for a server that does not answer. */
      waitMs: env.DB_WAIT_TIMEOUT,
      runMigrations: env.BATCH_RUN_MIGRATIONS ?? !production,
      /** The user that migrates. Undefined: the user that runs the service. */
      migration:
        env.DB_MIGRATION_USERNAME === undefined
          ? undefined
          : { username: env.DB_MIGRATION_USERNAME, password: env.DB_MIGRATION_PASSWORD ?? '' },
      /** How long migrations wait for another process that migrates. */
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
            /** Refuses messages that do not name the broker's user who sent them. */
            requireUserId: env.BATCH_RMQ_REQUIRE_USER_ID,
            /** Patterns of the queues to which answers may go. */
            replyTo: listOf(env.BATCH_RMQ_REPLY_TO),
            certificates: certificates.rabbitmq,
          },
    /** TCP is for this machine only, and not in production. */
    rpcTransport: rpcTransport(env.BATCH_SERVICE_RMQ_URL, production),
    rpcTcp: { host: '127.0.0.1', port: env.BATCH_RPC_TCP_PORT },
    notificationTcpUrl: env.BATCH_NOTIFICATION_TCP_URL,
    /** A larger notification is sent in parts. */
    notificationMaxKb: env.BATCH_NOTIFICATION_MAX_KB,
    http: {
      host: env.HTTP_HOST ?? (requireKeys ? '0.0.0.0' : '127.0.0.1'),
      port: env.HTTP_PORT,
      /** For HTTPS; `ca` verifies the callers' certificates. Undefined: plain HTTP. */
      certificates: certificates.http,
      /** The proxies whose `X-Forwarded-For` is believed, in Express's form. Undefined: none. */
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
      /** How many subtransactions of one chunk may remain. */
      maxSubtransactions: env.BATCH_CHUNK_MAX_SUBTRANSACTIONS,
      /** After how many tries a lane is parked, if nobody knows whose fault the failure of its first operation is. */
      laneTries: env.BATCH_LANE_RETRY_LIMIT,
      /** The pause before an operation's first retry. Each further pause is twice as long. */
      operationRetryDelayMs: env.BATCH_OPERATION_RETRY_DELAY,
      /** A chunk that runs longer counts as stuck. */
      stuckTimeoutMs: env.BATCH_STUCK_TIMEOUT,
    },
    /** The jobs `importOrders` and `archiveOrders`, to try the engine with. */
    exampleJobs: env.BATCH_EXAMPLE_JOBS ?? !production,
    intake: {
      allowedTargets: listOf(env.BATCH_ALLOWED_TARGETS),
      maxBodyKb: env.BATCH_MAX_BODY_KB,
      maxOperationKb: env.BATCH_MAX_OPERATION_KB,
      /** How many operations one request for a plan may have. */
      planLimit: env.BATCH_PLAN_OPERATION_LIMIT,
      /** How many operations may wait to be executed. 0: any number. */
      maxBacklog: env.BATCH_MAX_BACKLOG,
      /** How many operations may wait for their `runAt`. 0: any number. */
      maxScheduled: env.BATCH_MAX_SCHEDULED,
      /** The share of both that one party may have, in percent. */
      backlogShare: env.BATCH_BACKLOG_SHARE,
      /** The limit for the bodies of all requests in progress together. */
      maxInFlightKb: env.BATCH_MAX_IN_FLIGHT_KB,
    },
    access: {
      required: requireKeys,
      /** True: other machines may reach a process that requires no keys. */
      allowOpen: env.BATCH_ALLOW_OPEN_ACCESS,
      /** Encrypts what is stored of API keys. */
      secret: env.API_KEY_ENCRYPTION_SECRET,
      /** The previous secret. Some keys may still be encrypted with it. */
      previousSecret: env.API_KEY_ENCRYPTION_SECRET_PREVIOUS,
      /** How many requests a key may send in a window. 0: any number. */
      rateLimit: env.BATCH_RATE_LIMIT,
      rateLimitWindowMs: env.BATCH_RATE_LIMIT_WINDOW,
      /** How many requests without a valid key an address may send in a window. 0: any number. */
      keylessRateLimit: env.BATCH_KEYLESS_RATE_LIMIT,
    },
    /** How many hours settled operations are kept. 0: for ever. */
    retention: {
      completedHours: env.BATCH_RETENTION_COMPLETED_HOURS,
      failedHours: env.BATCH_RETENTION_FAILED_HOURS,
    },
    /** How many hours executions of jobs are kept after their end. 0: for ever. */
    jobRetentionHours: env.BATCH_RETENTION_JOBS_HOURS,
    /** How mails are sent. Undefined: none are. */
    mail: mailSettings(env),
    alerts: {
      /** Of this installation. It begins every message. */
      name: env.BATCH_ALERT_NAME,
      slackUrl: env.BATCH_ALERT_SLACK_URL,
      emailTo: listOf(env.BATCH_ALERT_EMAIL_TO),
      webhook:
        env.BATCH_ALERT_WEBHOOK_URL === undefined
          ? undefined
          : { url: env.BATCH_ALERT_WEBHOOK_URL, secret: env.BATCH_ALERT_WEBHOOK_SECRET ?? '' },
      intervalMs: env.BATCH_ALERT_INTERVAL,
      /** 0: an alert is not repeated. */
      repeatMs: env.BATCH_ALERT_REPEAT_MINUTES * 60_000,
      /** An alert is over when its rule has not been met for this long. */
      resolveMs: env.BATCH_ALERT_RESOLVE_SECONDS * 1000,
      /** A rule with 0 is off. */
      rules: {
        lagMs: env.BATCH_ALERT_LAG_SECONDS * 1000,
        failurePercent: env.BATCH_ALERT_FAILURE_PERCENT,
        failureMinimum: env.BATCH_ALERT_FAILURE_MINIMUM,
        failureWindowMs: env.BATCH_ALERT_FAILURE_WINDOW_SECONDS * 1000,
        laneBlockedMs: env.BATCH_ALERT_LANE_BLOCKED_SECONDS * 1000,
        laneLockedMs: env.BATCH_ALERT_LANE_LOCKED_SECONDS * 1000,
        parkedMessages: env.BATCH_ALERT_PARKED_MESSAGES,
        parkedNotifications: env.BATCH_ALERT_PARKED_NOTIFICATIONS,
        jobFailedMs: env.BATCH_ALERT_JOB_FAILED_HOURS * 3_600_000,
        jobMissedMs: env.BATCH_ALERT_JOB_MISSED_SECONDS * 1000,
        noWorkerMs: env.BATCH_ALERT_NO_WORKER_SECONDS * 1000,
      },
    },
    shutdownTimeoutMs: env.BATCH_SHUTDOWN_TIMEOUT,
    /** A process whose event loop stands still for longer is ended. 0: never. */
    hangTimeoutMs: env.BATCH_HANG_TIMEOUT,
  };
}

function rpcTransport(brokerUrl: string | undefined, production: boolean): 'rabbitmq' | 'tcp' | 'none' {
  if (brokerUrl !== undefined) return 'rabbitmq';
  return production ? 'none' : 'tcp';
}

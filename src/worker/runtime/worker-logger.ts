import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import { redactSecrets } from '../../interfaces/redact-secrets.js';
import type { LoggerSettings, WorkerSettings } from '../settings/worker-settings.js';

const HIDDEN = '***';
/** A shorter password occurs in other words too. Hiding it would make the log unreadable, and tell the password. */
const SHORTEST_KNOWN = 6;
const LONGEST_TEXT = 8192;
const DEEPEST_CAUSE = 4;

/**
 * The fields of an error that are logged. Others contain data: `detail` of PostgreSQL quotes rows, `parameters` of TypeORM
 * are the values of a statement, `client` of the driver is a connection with its password.
 */
const ERROR_FIELDS = ['code', 'errno', 'syscall', 'severity', 'schema', 'table', 'column', 'constraint'] as const;

/** The log of the process: JSON lines on stdout, or readable lines. Passwords are hidden wherever they occur. */
export function createWorkerLogger(
  { level, format }: LoggerSettings,
  base: Readonly<Record<string, unknown>>,
  secrets: readonly string[] = [],
  destination: pino.DestinationStream = process.stdout,
): Logger {
  const hide = hiding(secrets);
  return pino(
    {
      level,
      base,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: errorFields },
      hooks: { streamWrite: hide },
    },
    format === 'json' ? destination : readable(destination),
  );
}

/** Every password that the settings know. */
export function secretsOf({ instances, queue }: Pick<WorkerSettings, 'instances' | 'queue'>): string[] {
  const url = queue.kind === 'redis' ? new URL(queue.url).password : '';
  return [...[...instances.values()].map(({ password }) => password), url, decodeURIComponent(url)];
}

/** Hides what looks like a credential, and the given secrets literally. */
export function hiding(secrets: readonly string[]): (text: string) => string {
  const known = new Set(
    secrets
      .filter((secret) => secret.length >= SHORTEST_KNOWN)
      .flatMap((each) => [each, JSON.stringify(each).slice(1, -1)]),
  );
  return (text) => [...known].reduce((hidden, secret) => hidden.replaceAll(secret, HIDDEN), redactSecrets(text));
}

/** What is logged of an error, with its causes. */
export function errorFields(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const all = error as unknown as Record<string, unknown>;
  const fields = ERROR_FIELDS.filter((name) => all[name] !== undefined).map((name) => [name, all[name]]);
  return {
    type: error.name,
    message: error.message.slice(0, LONGEST_TEXT),
    ...Object.fromEntries(fields),
    stack: error.stack?.slice(0, LONGEST_TEXT),
    ...(error.cause !== undefined && depth < DEEPEST_CAUSE && { cause: errorFields(error.cause, depth + 1) }),
  };
}

function readable(destination: pino.DestinationStream): pino.DestinationStream {
  return pretty({
    // In this thread and at once, so that the last lines before an exit are not lost.
    sync: true,
    destination: destination as NodeJS.WritableStream,
    colorize: 'isTTY' in destination && destination.isTTY === true,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,worker',
  });
}

import { WorkerStartError } from '../worker-error.js';
import { readInstances, readJson, type ReadInstances } from './database-config.js';
import { environmentSchema, queueSchema } from './environment-schema.js';
import { faultsOf } from './faults-of.js';
import { loggerSchema } from './json-schemas.js';
import type { LoggerSettings, ProducerSettings, QueueSettings, WorkerSettings } from './worker-settings.js';

type Given = Readonly<Record<string, string | undefined>>;

const SECOND = 1000;

/**
 * Reads the environment of a worker. An empty variable counts as absent.
 *
 * @throws WorkerStartError INVALID_SETTINGS with every fault
 */
export function loadWorkerSettings(variables: NodeJS.ProcessEnv): WorkerSettings {
  const { settings, faults } = readWorkerSettings(variables);
  if (settings === undefined) throw new WorkerStartError('INVALID_SETTINGS', faults);
  return settings;
}

/** @returns the settings, undefined when there is a fault; and all faults */
export function readWorkerSettings(variables: NodeJS.ProcessEnv): {
  settings: WorkerSettings | undefined;
  faults: string[];
} {
  const given = presentOf(variables);
  const read = readInstances(given.DATABASE_CONFIG);
  const queue = readQueue(given, read);
  const logger = readLogger(given.LOGGER_CONFIG);
  const values = environmentSchema.safeParse(given);
  const faults = [
    ...(values.success ? [] : faultsOf(values.error, given)),
    ...queue.faults,
    ...read.faults,
    ...instanceFaults(given, 'WORKER_RECORD_INSTANCE', read),
    ...logger.faults,
  ];
  if (!values.success || queue.settings === undefined || faults.length > 0) return { settings: undefined, faults };
  const { data } = values;
  return {
    faults,
    settings: {
      name: data.WORKER_NAME,
      concurrency: data.WORKER_CONCURRENCY,
      queue: queue.settings,
      instances: read.instances,
      recordInstance: data.WORKER_RECORD_INSTANCE ?? (read.instances.has('default') ? 'default' : undefined),
      logger: logger.settings,
      shutdownMs: data.WORKER_SHUTDOWN_SECONDS * SECOND,
      bootMs: data.WORKER_BOOT_SECONDS * SECOND,
      lockMs: data.WORKER_LOCK_SECONDS * SECOND,
      probe:
        data.WORKER_PROBE_PORT === undefined
          ? undefined
          : { host: data.WORKER_PROBE_HOST, port: data.WORKER_PROBE_PORT },
      healthFile: data.WORKER_HEALTH_FILE,
    },
  };
}

/**
 * Reads what a producer needs: where the queues are.
 *
 * @throws WorkerStartError INVALID_SETTINGS with every fault
 */
export function loadProducerSettings(variables: NodeJS.ProcessEnv): ProducerSettings {
  const given = presentOf(variables);
  const read = readInstances(given.DATABASE_CONFIG);
  const { settings: queue, faults } = readQueue(given, read);
  const all = [...faults, ...read.faults];
  if (queue === undefined || all.length > 0) throw new WorkerStartError('INVALID_SETTINGS', all);
  return { queue, instances: read.instances };
}

/** The settings of the log, or the defaults when they are faulty: faults are told through the log. */
export function loggerSettings(variables: NodeJS.ProcessEnv): LoggerSettings {
  return readLogger(presentOf(variables).LOGGER_CONFIG).settings;
}

function presentOf(variables: NodeJS.ProcessEnv): Given {
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''));
}

function readQueue(given: Given, read: ReadInstances): { settings: QueueSettings | undefined; faults: string[] } {
  const values = queueSchema.safeParse(given);
  if (!values.success) return { settings: undefined, faults: faultsOf(values.error, given) };
  const { REDIS_URL: url, WORKER_QUEUE_INSTANCE: instance } = values.data;
  if (url !== undefined && instance !== undefined) {
    const fault = 'REDIS_URL: it and WORKER_QUEUE_INSTANCE both say where the queues are; remove one of the two';
    return { settings: undefined, faults: [fault, ...instanceFaults(given, 'WORKER_QUEUE_INSTANCE', read)] };
  }
  if (url !== undefined) return { settings: { kind: 'redis', url }, faults: [] };
  if (instance !== undefined) {
    const faults = instanceFaults(given, 'WORKER_QUEUE_INSTANCE', read);
    return { settings: { kind: 'postgres', instance }, faults };
  }
  const fault =
    'REDIS_URL: expected a URL such as redis://127.0.0.1:6379, or an instance of DATABASE_CONFIG in WORKER_QUEUE_INSTANCE; ' +
    'both are missing';
  return { settings: undefined, faults: [fault] };
}

function instanceFaults(given: Given, variable: string, { names, faults }: ReadInstances): string[] {
  const name = new Map(Object.entries(given)).get(variable);
  // A configuration that cannot be read has no names, and that is told already.
  if (name === undefined || names.includes(name) || (names.length === 0 && faults.length > 0)) return [];
  const known = names.length === 0 ? 'DATABASE_CONFIG has none' : `it has ${names.join(', ')}`;
  return [`${variable}: expected the name of an instance of DATABASE_CONFIG; ${known}; got ${JSON.stringify(name)}`];
}

function readLogger(text: string | undefined): { settings: LoggerSettings; faults: string[] } {
  const defaults = { level: 'info', format: 'json' } as const;
  if (text === undefined) return { settings: defaults, faults: [] };
  const json = readJson('LOGGER_CONFIG', text, '{ "level": "info", "format": "json" }');
  if ('fault' in json) return { settings: defaults, faults: [json.fault] };
  const read = loggerSchema.safeParse(json.value);
  return read.success
    ? { settings: read.data, faults: [] }
    : { settings: defaults, faults: faultsOf(read.error, json.value, 'LOGGER_CONFIG') };
}

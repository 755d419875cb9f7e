import type { OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { DataSource } from 'typeorm';
import { within } from '../runtime/within.js';
import type { WorkerSettings } from '../settings/worker-settings.js';
import { WorkerError } from '../worker-error.js';
import { awaitDatabase } from './await-database.js';
import { DEFAULT_INSTANCE } from './inject-database.js';
import { CONNECT_TIMEOUT_MS, dataSourceOptions } from './instance-options.js';

const HEALTH_TIMEOUT_MS = 2000;

/**
 * The databases of DATABASE_CONFIG, one `DataSource` each. They are opened before the first job, and closed after the last
 * one.
 */
export class Databases implements OnApplicationShutdown {
  private constructor(private readonly sources: ReadonlyMap<string, DataSource>) {}

  /**
   * Connects to every instance. It waits for a server that does not answer, `bootMs` at most.
   *
   * @throws WorkerStartError DATABASE_UNAVAILABLE that names every instance that failed, and why
   */
  static async open({ name, instances, bootMs, concurrency = 1 }: WorkerSettings, log: Logger): Promise<Databases> {
    const deadline = performance.now() + bootMs;
    const sources = [...instances].map(([instance, options]) => {
      warnOfSmallPool(log, { instance, poolSize: options.poolSize, concurrency });
      const onIdleError = (error: Error): void =>
        log.warn({ instance, reason: error.message }, 'An idle connection to a database was lost');
      return { instance, options, source: new DataSource(dataSourceOptions(options, { name, onIdleError })) };
    });
    await awaitDatabase(sources, { deadline, log });
    return new Databases(new Map(sources.map(({ instance, source }) => [instance, source])));
  }

  get names(): string[] {
    return [...this.sources.keys()];
  }

  /** @throws WorkerError UNKNOWN_INSTANCE */
  get(name: string = DEFAULT_INSTANCE): DataSource {
    const source = this.sources.get(name);
    if (source !== undefined) return source;
    throw new WorkerError('UNKNOWN_INSTANCE', unknownInstance(name, this.names));
  }

  /** Which instances answer now, by name. */
  async health(): Promise<Record<string, boolean>> {
    const checks = [...this.sources].map(async ([name, source]) => [name, await answers(source)] as const);
    return Object.fromEntries(await Promise.all(checks));
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.sources.values()].map((source) => source.destroy()));
  }
}

export function unknownInstance(name: string, known: readonly string[]): string {
  const has = known.length === 0 ? 'DATABASE_CONFIG has none' : `DATABASE_CONFIG has ${known.join(', ')}`;
  return `There is no database instance "${name}"; ${has}`;
}

/** No fault: the jobs need not use this database, or not all at once. */
function warnOfSmallPool(log: Logger, numbers: { instance: string; poolSize: number; concurrency: number }): void {
  const { instance, poolSize, concurrency } = numbers;
  if (poolSize >= concurrency) return;
  log.warn(
    numbers,
    `DATABASE_CONFIG: instance "${instance}" has poolSize ${poolSize}, and WORKER_CONCURRENCY is ${concurrency}: jobs in ` +
      `runOnce wait for a connection, and are put off after ${CONNECT_TIMEOUT_MS / 1000} seconds; set poolSize to ${concurrency} or more`,
  );
}

async function answers(source: DataSource): Promise<boolean> {
  const answered = source.query('select 1').then(
    () => true,
    () => false,
  );
  return (await within(answered, HEALTH_TIMEOUT_MS)) ?? false;
}

import { startPostgres } from '../support/services/postgres.js';
import { openTestDatabases } from '../support/test-databases.js';
import type { Server } from './database.js';
import { UsageError } from './options.js';

const USAGE_FAULT = 2;
const INTERRUPTED = 130;

/** @returns true when all is as it should be */
export type Work = (server: Server, signal: AbortSignal) => Promise<boolean>;

/** The frame of both programs: options, a server, the exit code. Leaves no database behind, whatever happens. */
export async function runProgram<Options>(
  usage: string,
  readOptions: (args: readonly string[]) => Options | undefined,
  work: (options: Options, ...rest: Parameters<Work>) => ReturnType<Work>,
): Promise<void> {
  try {
    const options = readOptions(process.argv.slice(2));
    if (options === undefined) print(usage);
    else process.exitCode = await withServer((server, signal) => work(options, server, signal));
  } catch (error) {
    process.exitCode = error instanceof UsageError ? USAGE_FAULT : 1;
    const hint = error instanceof UsageError ? '\n--help lists the options' : '';
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}${hint}\n`);
  }
}

async function withServer(work: Work): Promise<number> {
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const service = await startPostgres(process.env, print);
  try {
    const databases = await openTestDatabases(service.connection);
    try {
      print(service.description);
      const good = await work({ postgres: service.connection, prefix: databases.run }, interruption.signal);
      return good ? 0 : 1;
    } catch (error) {
      if (!interruption.signal.aborted) throw error;
      print('Interrupted');
      return INTERRUPTED;
    } finally {
      await databases.close();
    }
  } finally {
    await service.stop();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

import { userInfo } from 'node:os';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { BatchError } from '../batch/model/batch-error.js';
import { isUndefinedTable } from '../services/database/classify-failure.js';
import { sqlStateOf } from '../services/database/sql-state.js';
import { ServiceError } from '../services/errors/service-error.js';
import { redactSecrets } from '../interfaces/redact-secrets.js';
import { StartError } from './start-error.js';

const HELP = ['help', '--help', '-h'];
export const LACKS_MIGRATIONS =
  'The database lacks the migrations of this version: start the service once, or run `node dist/migrate.js`';

/** The command line asks for something that does not exist. The message, if there is one, says what is wrong. */
export class UsageError extends Error {}

/**
 * Reads options and arguments as `parseArgs` does.
 *
 * @throws UsageError that names the option which does not exist, or which has no value
 */
export function readOptions<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    // Further sentences explain how arguments begin with a dash. No command has such arguments.
    const [sentence] = (error as Error).message.split('. ');
    throw new UsageError(sentence, { cause: error });
  }
}

/** @throws UsageError for the first of the options that the command does not take */
export function refuseOtherOptions(command: string, given: object, taken: readonly string[]): void {
  const other = Object.keys(given).find((option) => !taken.includes(option));
  if (other !== undefined) throw new UsageError(`${command} does not take the option --${other}`);
}

/** @throws UsageError for the first of the arguments */
export function refuseArguments(command: string, [first]: readonly string[]): void {
  if (first !== undefined) throw new UsageError(`${command} does not take the argument '${first}'`);
}

/** @throws UsageError */
export function unknownCommand(command: string | undefined): never {
  throw new UsageError(
    command === undefined || command === '' ? 'A command is missing' : `There is no command '${command}'`,
  );
}

/** A line could not be written to stdout. */
export class OutputError extends Error {
  /** The reader of stdout has gone, as `head` does. It needs no more lines, so this is not a fault. */
  readonly readerGone: boolean;

  constructor(cause: NodeJS.ErrnoException) {
    super(`cannot write to stdout: ${cause.message}`, { cause });
    this.name = 'OutputError';
    this.readerGone = cause.code === 'EPIPE';
  }
}

/**
 * Runs a program that a person types. It ends with 0. If the command line is wrong, it ends with 2 and the usage; if
 * its work failed, with 1 and the reason. A bug of the service ends it with a stack trace.
 */
export async function runCommand(usage: string, work: (args: string[]) => Promise<void>): Promise<void> {
  const args = process.argv.slice(2);
  try {
    await (HELP.includes(args[0] ?? '') ? say(usage.trimEnd()) : work(args));
  } catch (error) {
    if (error instanceof OutputError && error.readerGone) return;
    const misused = error instanceof UsageError;
    const text = misused ? [error.message, usage].filter(Boolean).join('\n\n') : `${reasonOf(error)}\n`;
    process.stderr.write(redactSecrets(text));
    process.exitCode = misused ? 2 : 1;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof BatchError) return `${error.code}: ${error.message}`;
  if (error instanceof StartError || error instanceof OutputError || error instanceof ServiceError) {
    return error.message;
  }
  if (isUndefinedTable(error)) return LACKS_MIGRATIONS;
  if (sqlStateOf(error) !== undefined) return (error as Error).message;
  throw error;
}

// `say` reports every failure. Without a listener the first one would end the process with a stack trace.
process.stdout.on('error', () => undefined);

/**
 * Writes a line to stdout, for programs. Resolves when it is written.
 *
 * @throws OutputError
 */
export function say(line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`${line}\n`, (error) => {
      if (error) reject(new OutputError(error));
      else resolve();
    });
  });
}

/** Writes a line to stderr, for people. */
export function explain(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The user who runs a command, as the audit stores it. */
export function commandActor(): string {
  return `command:${userName()}`;
}

/** In a container the user may have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

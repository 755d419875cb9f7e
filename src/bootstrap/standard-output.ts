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

// `say` reports every failure to its caller. Without a listener the first failure would end the process with a stack
// trace.
process.stdout.on('error', () => undefined);

/**
 * Writes a line to stdout. Resolves when it is written.
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

/** What was to be told on stdout was not taken. */
export class OutputError extends Error {
  /** Its reader has gone, as `head` does: it wants no more, and nothing is wrong. */
  readonly readerGone: boolean;

  constructor(cause: NodeJS.ErrnoException) {
    super(`stdout takes nothing: ${cause.message}`, { cause });
    this.name = 'OutputError';
    this.readerGone = cause.code === 'EPIPE';
  }
}

// Every failure is told to whoever wrote; without a listener the first would end the process with a stack.
process.stdout.on('error', () => undefined);

/**
 * Writes a line to stdout; resolves when it is taken.
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

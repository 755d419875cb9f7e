import { BatchError, type BatchErrorCode } from '../model/batch-error.js';

/** Longer lines are cut in messages. */
const MAX_QUOTED = 200;

/** A file that a component needs cannot be opened. */
export function cannotOpen(resource: string, cause: unknown): BatchError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BatchError('RESOURCE_NOT_FOUND', `The file "${resource}" cannot be opened: ${reason}. Check its path.`, {
    cause,
  });
}

/** A file is shorter than what was read from it, or written to it, before the restart. */
export function isShorter(resource: string, size: number, position: number): BatchError {
  return new BatchError(
    'RESOURCE_CHANGED',
    `The file "${resource}" has ${size} bytes, and the last commit was at byte ${position}. ` +
      'It was replaced since. Put the old file back, or start a new job instance.',
  );
}

/** A line of a file that is not as it should be. The next `read` goes on with the line after it. */
export abstract class LineError extends BatchError {
  /** Cut to 200 characters. */
  readonly input: string;

  constructor(
    code: BatchErrorCode,
    readonly resource: string,
    readonly lineNumber: number,
    input: string,
    fault: string,
    options?: ErrorOptions,
  ) {
    const cut = input.length > MAX_QUOTED ? `${input.slice(0, MAX_QUOTED)}…` : input;
    super(code, `Line ${lineNumber} of "${resource}" ${fault}: ${JSON.stringify(cut)}`, options);
    this.input = input.slice(0, MAX_QUOTED);
  }
}

/** A line of a delimited or fixed-width file that cannot be made an item. It may be skipped. */
export class FlatFileParseError extends LineError {
  constructor(resource: string, lineNumber: number, input: string, fault: string, options?: ErrorOptions) {
    super('FLAT_FILE_PARSE_FAILED', resource, lineNumber, input, fault, options);
  }
}

/** A line of a file of JSON lines that is no JSON. It may be skipped. */
export class JsonLineParseError extends LineError {
  constructor(resource: string, lineNumber: number, input: string, fault: string, options?: ErrorOptions) {
    super('JSON_LINE_PARSE_FAILED', resource, lineNumber, input, fault, options);
  }
}

import type { BatchStatus } from './batch-status.js';
import { listSome } from './list-some.js';

export const BATCH_ERROR_CODES = [
  'NO_SUCH_JOB',
  'NO_SUCH_STEP',
  'NO_SUCH_JOB_EXECUTION',
  'DUPLICATE_JOB',
  'INVALID_JOB_DEFINITION',
  'INVALID_JOB_PARAMETERS',
  'JOB_ALREADY_RUNNING',
  'JOB_INSTANCE_ALREADY_COMPLETE',
  'JOB_RESTART_REFUSED',
  'JOB_NOT_RUNNING',
  'JOB_STILL_RUNNING',
  'START_LIMIT_EXCEEDED',
  'FLOW_WITHOUT_TRANSITION',
  'CONTEXT_NOT_JSON',
  'CONTEXT_KEY_MISSING',
  'LEASE_LOST',
  'SKIP_LIMIT_EXCEEDED',
  'SCHEMA_TOO_NEW',
  'RESOURCE_NOT_FOUND',
  'RESOURCE_CHANGED',
  'FLAT_FILE_PARSE_FAILED',
  'FLAT_FILE_HEADER_INVALID',
  'JSON_LINE_PARSE_FAILED',
  'READER_KEY_INVALID',
  'READER_BROKEN',
  'ITEM_INVALID',
  'ITEM_COLUMNS_DIFFER',
  'NO_SUCH_TABLE',
  'NO_SUCH_COLUMN',
  'STATEMENT_REFUSED',
  'UPDATE_MATCHED_NO_ROW',
  'COPY_NOT_SUPPORTED',
  'NO_SUCH_DELEGATE',
  'OPERATION_REFUSED',
  'OPERATION_ID_MISSING',
  'OPERATIONS_NOT_ACCEPTED',
  'TEST_KIT_WITHOUT_DATABASE',
  'PACKAGE_MISSING',
] as const;

export type BatchErrorCode = (typeof BATCH_ERROR_CODES)[number];

/** An error of the engine. The code is stable; the message names the thing and says what to do. */
export class BatchError extends Error {
  constructor(
    readonly code: BatchErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

export class NoSuchJobError extends BatchError {
  constructor(name: string, known: readonly string[]) {
    const list = known.length === 0 ? 'No job is registered.' : `Registered jobs: ${known.join(', ')}.`;
    super('NO_SUCH_JOB', `There is no job "${name}". ${list}`);
  }
}

export class NoSuchJobExecutionError extends BatchError {
  constructor(id: string) {
    super('NO_SUCH_JOB_EXECUTION', `There is no job execution ${id}`);
  }
}

/** `faults` are all faults of the parameters, each as a sentence. The message names the first five. */
export class InvalidJobParametersError extends BatchError {
  constructor(
    job: string,
    readonly faults: readonly string[],
  ) {
    super('INVALID_JOB_PARAMETERS', `Job "${job}" was not started. ${listFaults(faults)}.`);
  }
}

export class JobExecutionAlreadyRunningError extends BatchError {
  /** @param executionId undefined when it has just ended */
  constructor(
    job: string,
    readonly executionId: string | undefined,
  ) {
    const id = executionId ?? '(it has just ended)';
    super('JOB_ALREADY_RUNNING', `Job "${job}" already runs with these parameters, as execution ${id}`);
  }
}

export class JobInstanceAlreadyCompleteError extends BatchError {
  /** @param status of the execution that stands in the way: COMPLETED or ABANDONED */
  constructor(
    job: string,
    readonly executionId: string,
    readonly status: BatchStatus,
  ) {
    super(
      'JOB_INSTANCE_ALREADY_COMPLETE',
      `Job "${job}" has already run with these identifying parameters: execution ${executionId} is ${status}. ` +
        'Change an identifying parameter to run it again.',
    );
  }
}

export class JobRestartError extends BatchError {
  constructor(message: string) {
    super('JOB_RESTART_REFUSED', message);
  }
}

export class JobExecutionNotRunningError extends BatchError {
  constructor(id: string, status: string) {
    super('JOB_NOT_RUNNING', `Job execution ${id} does not run: it is ${status}`);
  }
}

export class JobExecutionStillRunningError extends BatchError {
  constructor(id: string, status: string) {
    super('JOB_STILL_RUNNING', `Job execution ${id} is ${status}. Stop it first.`);
  }
}

export class StartLimitExceededError extends BatchError {
  constructor(step: string, limit: number) {
    super('START_LIMIT_EXCEEDED', `Step "${step}" has been started ${limit} times, which is its start limit`);
  }
}

export class FlowExecutionError extends BatchError {
  constructor(flow: string, node: string, exitCode: string, patterns: readonly string[]) {
    super(
      'FLOW_WITHOUT_TRANSITION',
      `Flow "${flow}" does not say what follows when "${node}" ends with ${exitCode}. It knows: ${patterns.join(', ')}.`,
    );
  }
}

/** The execution belongs to another process now, or was ended by one. Nothing may be committed for it any more. */
export class LeaseLostError extends BatchError {
  constructor(name: string, kind: 'Step' | 'Job' = 'Step') {
    super('LEASE_LOST', `${kind} "${name}" was taken over: this process had not renewed its lease in time`);
  }
}

export class InvalidJobDefinitionError extends BatchError {
  constructor(message: string) {
    super('INVALID_JOB_DEFINITION', message);
  }
}

const listFaults = (faults: readonly string[]): string =>
  listSome(faults, String, '. ', (count) => `There are ${count} more faults`);

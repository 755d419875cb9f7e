export const WORKER_ERROR_CODES = [
  'INVALID_SETTINGS',
  'INVALID_WORKER_MODULE',
  'UNKNOWN_INSTANCE',
  'DATABASE_UNAVAILABLE',
  'DATABASE_RIGHTS_MISSING',
  'QUEUE_UNAVAILABLE',
  'QUEUE_REFUSED',
  'DATA_INVALID',
  'JOB_KEY_INVALID',
  'JOB_KEY_MISSING',
  'JOB_KEY_REUSED',
] as const;

export type WorkerErrorCode = (typeof WORKER_ERROR_CODES)[number];

/** An error of the worker library. The code is stable; the message names the thing and says what to do. */
export class WorkerError extends Error {
  constructor(
    readonly code: WorkerErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Why a worker cannot start. It is shown without a stack trace, because the code is not at fault. */
export class WorkerStartError extends WorkerError {
  /** @param faults each as one sentence; all of them are shown */
  constructor(
    code: WorkerErrorCode,
    readonly faults: readonly string[],
    options?: ErrorOptions,
  ) {
    super(code, `The worker cannot start:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`, options);
  }
}

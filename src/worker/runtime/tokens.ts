/** The checked environment of the worker: `WorkerSettings`. */
export const WORKER_SETTINGS = Symbol('settings of the worker');
/** The log of the worker: pino. */
export const WORKER_LOGGER = Symbol('log of the worker');
/** Provided when somebody else calls `WorkerLifecycle.work()`, after the application has started. */
export const WORKS_LATER = Symbol('the workers are told to begin');

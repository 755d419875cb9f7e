/** The checked environment of the worker: `WorkerSettings`. */
export const WORKER_SETTINGS = Symbol('settings of the worker');
/** The log of the worker: pino. */
export const WORKER_LOGGER = Symbol('log of the worker');

export const BATCH_OPTIONS = Symbol('batch-service:options');
export const BATCH_STORE = Symbol('batch-service:store');

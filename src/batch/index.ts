export * from './chunk-step.js';
export * from './isolate.js';
export type * from './item.js';
export * from './retry-policy.js';
export * from './skip-policy.js';
export type * from './transaction-manager.js';

export * from './batch-test-kit.js';
export * from './fake-executions.js';
export * from './use-part.js';

import { describeWorkers } from './worker-contract.js';

describeWorkers('PostgreSQL', () => ({ WORKER_QUEUE_INSTANCE: 'default' }));

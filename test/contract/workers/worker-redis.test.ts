import { inject } from 'vitest';
import { describeWorkers } from './worker-contract.js';

describeWorkers('Redis', () => ({ REDIS_URL: inject('services')!.redis.url }));

import { setTimeout as delay } from 'node:timers/promises';
import { replaceMethod, serviceModule } from './service-module.mjs';

const { QueueService } = await serviceModule('services/queue/queue.service.js');

// Callers are told that their operations are stored, and only then they are: not at all when the process or the database dies in between.
replaceMethod(QueueService.prototype, 'enqueue', async function (enqueue, operations) {
  void delay(50)
    .then(() => enqueue(operations))
    .catch(() => undefined);
  return operations.map(() => ({ outcome: 'created', status: 'pending' }));
});

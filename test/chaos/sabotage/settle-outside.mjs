import { setTimeout as delay } from 'node:timers/promises';
import { replaceMethod, serviceModule } from './service-module.mjs';

const { QueueService } = await serviceModule('services/queue/queue.service.js');

// The verdicts are committed in a transaction of their own, before the effects that they speak of. The pause makes the gap between the two
// wide enough to be hit.
replaceMethod(QueueService.prototype, 'settle', async function (settle, _tx, ...rest) {
  const settled = await this.database.transaction((tx) => settle(tx, ...rest));
  await delay(100);
  return settled;
});

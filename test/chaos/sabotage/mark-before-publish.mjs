import { setTimeout as delay } from 'node:timers/promises';
import { replaceMethod, serviceModule } from './service-module.mjs';

const { RabbitmqPublisher } = await serviceModule('services/notification/rabbitmq-publisher.service.js');

// The notifier marks its chunks as notified before their messages are published.
let published = Promise.resolve();
replaceMethod(RabbitmqPublisher.prototype, 'publish', async function (publish, messages) {
  published = published
    .then(() => delay(50))
    .then(() => publish(messages))
    .catch(() => undefined);
  // None of them without a receiver, none refused.
  return { unrouted: [], refused: [] };
});

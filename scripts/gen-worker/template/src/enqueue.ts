// `npm run enqueue -- ID TEXT` adds a job by hand. Another service adds its jobs in the same way.
import './environment.js';
import { Queue } from 'bullmq';
import { enqueue, queueConnection } from 'batch-service/worker';
import { __CAMEL__Schema } from './__NAME__.schema.js';

const [, , targetId, text] = process.argv;
if (targetId === undefined || text === undefined) {
  console.error('Expected an id and a text: npm run enqueue -- order-1 "a text"');
  process.exit(2);
}
const queue = new Queue('__NAME__', { connection: queueConnection() });
// A second job of the same type and target is suppressed while the first one is kept.
const job = await enqueue(queue, { type: '__NAME__', targetId, data: __CAMEL__Schema.parse({ text }) });
console.log(`Job ${job.id} is in the queue ${queue.name}`);
await queue.close();

import { setTimeout as delay } from 'node:timers/promises';
import { replaceMethod, serviceModule } from './service-module.mjs';

const { MessageLine } = await serviceModule('controllers/rpc/message-line.js');
const { PipelinePlace } = await serviceModule('services/intake/submission-pipeline.js');

// An event whose storing failed goes to the end of the line after half a second. Nothing waits for it.
replaceMethod(MessageLine.prototype, 'hold', () => undefined);
replaceMethod(PipelinePlace.prototype, 'fail', () => undefined);
replaceMethod(MessageLine.prototype, 'putBack', async function (_putBack, entry) {
  await delay(500);
  this.positions += 1;
  this.waiting.push({ ...entry, position: this.positions });
  this.goOn();
});

import 'reflect-metadata';
import { BullModule, InjectQueue } from '@nestjs/bullmq';
import { Injectable, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { JobHandler, JobProcessor, runWorker, WorkerModule } from 'batch-service/worker';
import type { Queue } from 'bullmq';
import { z } from 'zod';
import { Billing, BILLING_EVERY_MS } from '../shop/billing.js';
import { shopDatabase } from '../shop/shop-database.js';

const BILLING_QUEUE = process.env.BILLING_QUEUE ?? 'billing';

/** Works the jobs of the queue. Each job is one run of the batch. */
@Injectable()
@JobHandler(BILLING_QUEUE)
class BillingProcessor extends JobProcessor<object, void> {
  override readonly schema = z.object({});

  constructor(private readonly billing: Billing) {
    super();
  }

  async work(): Promise<void> {
    await this.billing.run();
  }
}

/** Tells the queue to make the jobs. The schedule is in Redis, so there is one, however many workers say the same. */
@Injectable()
class BillingSchedule implements OnApplicationBootstrap {
  constructor(@InjectQueue(BILLING_QUEUE) private readonly queue: Queue) {}

  async onApplicationBootstrap(): Promise<void> {
    // One run at a time, in all workers together.
    await this.queue.setGlobalConcurrency(1);
    await this.queue.upsertJobScheduler('billing', { every: BILLING_EVERY_MS }, { name: 'bill', data: {} });
  }
}

@Module({
  imports: [WorkerModule.forRoot(), BullModule.registerQueue({ name: BILLING_QUEUE })],
  providers: [shopDatabase, Billing, BillingProcessor, BillingSchedule],
})
class BillingWorkerModule {}

await runWorker(BillingWorkerModule);

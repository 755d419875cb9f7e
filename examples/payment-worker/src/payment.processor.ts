import { InjectQueue } from '@nestjs/bullmq';
import { enqueue, JobHandler, JobProcessor, type WorkerJob } from 'batch-service/worker';
import { Queue } from 'bullmq';
import { OUTCOME_QUEUE, type Outcome } from './outcome.js';
import { PaymentProvider, type Charge } from './payment-provider.js';
import { PAYMENT_QUEUE, paymentSchema, type PaymentData } from './payment.schema.js';
import { insertPayment } from './payment.tables.js';

/**
 * Charges orders, once each. A process may die between any two lines of `work`, and then the job comes again:
 *
 * 1. The provider recognises the order by its key, and answers with the charge that it has made before.
 * 2. `runOnce` recognises the job, and returns what is recorded.
 * 3. The queue recognises the outcome by its key, and keeps the first.
 */
@JobHandler(PAYMENT_QUEUE)
export class PaymentProcessor extends JobProcessor<PaymentData, Charge> {
  override readonly schema = paymentSchema;

  constructor(
    private readonly provider: PaymentProvider,
    @InjectQueue(OUTCOME_QUEUE) private readonly outcomes: Queue,
  ) {
    super();
  }

  async work(job: WorkerJob<PaymentData>): Promise<Charge> {
    // Not in the transaction: a slow provider would keep a connection and its locks.
    const answer = await this.provider.charge({ orderId: job.targetId, ...job.data }, job.signal);
    const charge = await this.runOnce(job, async (tx) => {
      await insertPayment(tx, job, answer);
      return answer;
    });
    await this.tell(job.targetId, charge);
    return charge;
  }

  override async onGivenUp(job: WorkerJob, error: Error): Promise<void> {
    await this.tell(job.targetId, { status: 'failed', reason: error.message });
  }

  private async tell(orderId: string, outcome: Outcome): Promise<void> {
    await enqueue(this.outcomes, { type: OUTCOME_QUEUE, targetId: orderId, data: outcome });
  }
}

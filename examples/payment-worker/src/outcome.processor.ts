import { JobHandler, JobProcessor, type WorkerJob } from 'batch-service/worker';
import { OutcomeGateway } from './outcome-gateway.js';
import { OUTCOME_QUEUE, outcomeSchema, type Outcome } from './outcome.js';

/** Tells the shop what became of an order. The gateway recognises a message that it has accepted before by its key. */
@JobHandler(OUTCOME_QUEUE)
export class OutcomeProcessor extends JobProcessor<Outcome, void> {
  override readonly schema = outcomeSchema;

  constructor(private readonly gateway: OutcomeGateway) {
    super();
  }

  async work(job: WorkerJob<Outcome>): Promise<void> {
    await this.gateway.send({ key: `${job.type}-${job.targetId}`, orderId: job.targetId, ...job.data }, job.signal);
  }
}

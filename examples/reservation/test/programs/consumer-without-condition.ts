import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { JobHandler, JobProcessor, runWorker, WorkerModule, type WorkerJob } from 'batch-service/worker';
import type { EntityManager } from 'typeorm';
import { reserve } from '../../src/consumer/reserve.js';
import { RESERVATION_QUEUE, type ReservationAnswer, type ReservationRequest } from '../../src/reservation-job.js';

const CONDITION = /\s+and taken < seats/;

/** Takes a seat whether there is one or not: its update lacks `taken < seats`. */
@JobHandler(RESERVATION_QUEUE)
class ProcessorWithoutCondition extends JobProcessor<ReservationRequest, ReservationAnswer> {
  async work(job: WorkerJob<ReservationRequest>): Promise<ReservationAnswer> {
    return this.runOnce(job, async (tx) => {
      let removed = 0;
      const query = (text: string, values: unknown[]): Promise<unknown> => {
        if (CONDITION.test(text)) removed++;
        return tx.query(text.replace(CONDITION, ''), values);
      };
      const answer = await reserve({ query } as EntityManager, job.targetId, job.data);
      if (removed !== 1) throw new Error(`The condition was removed ${removed} times and not once`);
      return answer;
    });
  }
}

@Module({ imports: [WorkerModule.forRoot()], providers: [ProcessorWithoutCondition] })
class ConsumerModule {}

await runWorker(ConsumerModule);

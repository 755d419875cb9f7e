import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { InjectDatabase, JobHandler, runWorker, WorkerModule, type WorkerJob } from 'batch-service/worker';
import { DataSource } from 'typeorm';
import { ReservationProcessor } from '../../src/consumer/reservation.processor.js';
import { reserve } from '../../src/consumer/reserve.js';
import { RESERVATION_QUEUE, type ReservationAnswer, type ReservationRequest } from '../../src/reservation-job.js';

// RUN_ONCE=false works the job in a transaction of its own, without the record that it is done. DIE=true kills the process after
// the commit of the first job, before the queue knows.
const { RUN_ONCE, DIE } = process.env;

@JobHandler(RESERVATION_QUEUE)
class DyingProcessor extends ReservationProcessor {
  constructor(@InjectDatabase() private readonly database: DataSource) {
    super();
  }

  override async work(job: WorkerJob<ReservationRequest>): Promise<ReservationAnswer> {
    const answer =
      RUN_ONCE === 'false'
        ? await this.database.transaction((tx) => reserve(tx, job.targetId, job.data))
        : await super.work(job);
    if (DIE === 'true') process.kill(process.pid, 'SIGKILL');
    return answer;
  }
}

@Module({ imports: [WorkerModule.forRoot()], providers: [DyingProcessor] })
class ConsumerModule {}

await runWorker(ConsumerModule);

import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { BullModule } from '@nestjs/bullmq';
import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { UnrecoverableError } from 'bullmq';
import type { DataSource, EntityManager } from 'typeorm';
import { PartsModule } from '../../../src/parts/nest/parts.module.js';
import { InjectDatabase } from '../../../src/worker/databases/inject-database.js';
import { JobHandler } from '../../../src/worker/processor/job-handler.js';
import { JobProcessor } from '../../../src/worker/processor/job-processor.js';
import type { WorkerJob } from '../../../src/worker/processor/worker-job.js';
import { runWorker } from '../../../src/worker/run-worker.js';
import { WorkerModule } from '../../../src/worker/worker.module.js';

/** What the process reports: the effect of a job is written, and is committed. */
export interface WorkerReport {
  is: 'written' | 'committed';
  target: string;
}

// A worker for tests that end it: TEST_QUEUE, TEST_MAX_STALLED, TEST_HOLD=true never ends a job that it has begun,
// TEST_HOLD=until-told ends it when it is told to, a job with negative `ms` fails for good, and `onGivenUp` throws for it.
// TEST_ONCE=false writes without `runOnce`, TEST_SLOW_START=true takes long to start.
const { TEST_QUEUE = '', TEST_MAX_STALLED = '1', TEST_HOLD, TEST_ONCE, TEST_SLOW_START } = process.env;

@JobHandler(TEST_QUEUE, { maxStalledCount: Number(TEST_MAX_STALLED) })
class EffectProcessor extends JobProcessor<{ ms: number }> {
  constructor(@InjectDatabase() private readonly database: DataSource) {
    super();
  }

  async work(job: WorkerJob<{ ms: number }>): Promise<string> {
    if (job.data.ms < 0) throw new UnrecoverableError('The time is negative');
    if (TEST_ONCE === 'false') await this.write(job, this.database.manager);
    else await this.runOnce(job, (tx) => this.write(job, tx));
    report({ is: 'committed', target: job.targetId });
    await delay(job.data.ms);
    return 'done';
  }

  override onGivenUp({ data }: WorkerJob): void {
    if ((data as { ms: number }).ms < 0) throw new Error('Nobody can be told');
  }

  private async write(job: WorkerJob<{ ms: number }>, tx: EntityManager): Promise<void> {
    await tx.query('insert into effects values ($1)', [job.targetId]);
    report({ is: 'written', target: job.targetId });
    if (TEST_HOLD === 'true') await new Promise(() => undefined);
    if (TEST_HOLD === 'until-told') {
      await once(job.signal, 'abort');
      job.signal.throwIfAborted();
    }
    await delay(job.data.ms);
  }
}

function report(said: WorkerReport): void {
  process.send?.(said);
}

@Module({
  imports: [
    WorkerModule.forRoot(),
    PartsModule.forRoot(),
    // As in a worker that adds jobs to another queue.
    BullModule.registerQueue({ name: `${TEST_QUEUE}-next` }),
  ],
  providers: [EffectProcessor],
})
class EffectWorkerModule implements OnApplicationBootstrap {
  async onApplicationBootstrap(): Promise<void> {
    if (TEST_SLOW_START !== 'true') return;
    process.stdout.write('{"msg":"test.starting"}\n');
    await delay(1000);
  }
}

await runWorker(EffectWorkerModule);

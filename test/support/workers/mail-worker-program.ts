import { Inject, Module } from '@nestjs/common';
import { MailSender } from '../../../src/parts/mail/mail-sender.js';
import { PartsModule } from '../../../src/parts/nest/parts.module.js';
import { JobHandler } from '../../../src/worker/processor/job-handler.js';
import { JobProcessor } from '../../../src/worker/processor/job-processor.js';
import type { WorkerJob } from '../../../src/worker/processor/worker-job.js';
import { runWorker } from '../../../src/worker/run-worker.js';
import { WorkerModule } from '../../../src/worker/worker.module.js';

// A worker for tests that sends a mail for each job of TEST_QUEUE.
@JobHandler(process.env.TEST_QUEUE ?? '')
class MailProcessor extends JobProcessor<{ to: string }> {
  constructor(@Inject(MailSender) private readonly mails: MailSender) {
    super();
  }

  async work(job: WorkerJob<{ to: string }>): Promise<void> {
    await this.mails.send({ to: [job.data.to], subject: job.targetId, text: 'Hello', id: job.targetId }, job.signal);
  }
}

@Module({ imports: [WorkerModule.forRoot(), PartsModule.forRoot()], providers: [MailProcessor] })
class MailWorkerModule {}

await runWorker(MailWorkerModule);

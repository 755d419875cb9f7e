import { Program } from './program.js';
import { programOf, type DatabaseSettings } from './settings.js';

const CONSUMERS = 3;
const CONCURRENCY = 4;

/** The three processes that work the queue. */
export class Consumers {
  private readonly consumers: Consumer[];

  constructor(database: DatabaseSettings, redisUrl: string) {
    const instances = { default: { dbms: 'postgres', ...database, poolSize: CONCURRENCY + 1 } };
    this.consumers = Array.from({ length: CONSUMERS }, (_, index) => {
      const name = `consumer-${index + 1}`;
      return new Consumer(name, {
        WORKER_NAME: name,
        WORKER_CONCURRENCY: String(CONCURRENCY),
        REDIS_URL: redisUrl,
        // When a consumer is killed, another one takes its jobs over after this time. A job takes some milliseconds.
        WORKER_LOCK_SECONDS: '10',
        DATABASE_CONFIG: JSON.stringify({ instances }),
        LOGGER_CONFIG: JSON.stringify({ level: 'info', format: 'json' }),
      });
    });
  }

  /** Kills one with -9, as soon as it has a job in hand, and starts it again. Answers how many jobs it had in hand. */
  async killOne(index: number): Promise<number> {
    const consumer = this.consumers[index]!;
    await consumer.hasJob();
    const inHand = await consumer.kill();
    consumer.start();
    return inHand;
  }

  async stop(): Promise<void> {
    await Promise.all(this.consumers.map((consumer) => consumer.stop()));
  }
}

class Consumer {
  private program!: Program;
  /** Ids of jobs that it has begun and not ended, by what it logs. */
  private inHand = new Set<string>();
  private readonly waiting: (() => void)[] = [];

  constructor(
    private readonly name: string,
    private readonly environment: Readonly<Record<string, string>>,
  ) {
    this.start();
  }

  start(): void {
    this.inHand = new Set();
    this.program = new Program(this.name, programOf('consumer/main'), this.environment, (line) => this.read(line));
  }

  hasJob(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async kill(): Promise<number> {
    await this.program.kill();
    return this.inHand.size;
  }

  stop(): Promise<void> {
    return this.program.stop();
  }

  private read(line: string): void {
    if (!line.startsWith('{')) return;
    const { msg, jobId } = JSON.parse(line) as { msg?: string; jobId?: string };
    if (jobId === undefined) return;
    if (msg === 'job.done' || msg === 'job.failed') this.inHand.delete(jobId);
    if (msg !== 'job.start') return;
    this.inHand.add(jobId);
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

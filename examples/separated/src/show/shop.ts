import { Queue } from 'bullmq';
import { queueConnection } from 'batch-service/worker';
import { join } from 'node:path';
import pg from 'pg';
import { TABLES } from '../shop/tables.sql.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { Program } from './program.js';

export type Form = 'joined' | 'separated';

export interface ShopSettings {
  /** The folder of the compiled programs. */
  programs: string;
  databaseUrl: string;
  redisUrl: string;
}

/** A shop in one of the two forms: its processes, its callers, and what is in its tables. */
export class Shop {
  private readonly apis: { program: Program; url: string }[] = [];
  private readonly workers: Program[] = [];
  private readonly schema: string;
  private readonly database: pg.Pool;

  private constructor(
    readonly form: Form,
    private readonly settings: ShopSettings,
  ) {
    this.schema = `${form}_${process.pid}_${Date.now()}`;
    this.database = new pg.Pool({
      connectionString: settings.databaseUrl,
      options: `-c search_path=${this.schema}`,
      max: 2,
    });
  }

  /** In the joined form each API is a batch too, and there is no worker. */
  static async open(form: Form, settings: ShopSettings, { apis = 1, workers = 1 } = {}): Promise<Shop> {
    const shop = new Shop(form, settings);
    await shop.database.query(`create schema ${shop.schema}`);
    await shop.database.query(TABLES);
    for (let count = 0; count < apis; count++) await shop.startApi();
    if (form === 'separated') for (let count = 0; count < workers; count++) shop.startWorker();
    // The batch has run once: all is up.
    await eventually(`the batch of the ${form} form runs`, async () => {
      shop.assertWorkers();
      return (await shop.runs()).length > 0;
    });
    return shop;
  }

  async startApi(): Promise<void> {
    const port = await freePort();
    const file = this.form === 'joined' ? 'joined/main.js' : 'separated/api.js';
    const program = new Program(join(this.settings.programs, file), { ...this.environment(), PORT: String(port) });
    const url = `http://127.0.0.1:${port}`;
    this.apis.push({ program, url });
    await eventually(`${file} answers`, async () => {
      if (!program.running) throw new Error(`${file} has ended:\n${program.lastWords}`);
      return this.answers(url);
    });
  }

  startWorker(): void {
    const environment = {
      ...this.environment(),
      WORKER_NAME: `billing-${this.workers.length + 1}`,
      REDIS_URL: this.settings.redisUrl,
      // A queue of this run alone: the Redis may be shared.
      BILLING_QUEUE: this.schema,
    };
    this.workers.push(new Program(join(this.settings.programs, 'separated/worker.js'), environment));
  }

  /** Resolves when the first API has ended. */
  async apiHasEnded(): Promise<void> {
    await this.apis[0]!.program.ended;
  }

  /** Resolves when the process that runs the batch has ended. */
  async batchHasEnded(): Promise<void> {
    await (this.form === 'joined' ? this.apis[0]!.program : this.workers[0]!).ended;
  }

  /** Whether the first API answers. */
  async apiAnswers(): Promise<boolean> {
    return this.answers(this.apis[0]!.url);
  }

  /** Asks the first API. An API that ends meanwhile gives no answer: that is an error. */
  async get<Answer>(path: string): Promise<Answer> {
    const response = await fetch(`${this.apis[0]!.url}/${path}`);
    return (await response.json()) as Answer;
  }

  /** Writes an order, without the API. */
  async order(address: string): Promise<string> {
    const { rows } = await this.database.query<{ id: string }>(
      'insert into orders (address) values ($1) returning id',
      [address],
    );
    return rows[0]!.id;
  }

  async isBilled(order: string): Promise<boolean> {
    const { rows } = await this.database.query<{ billed: boolean }>('select billed from orders where id = $1', [order]);
    return rows[0]!.billed;
  }

  async invoices(order: string): Promise<number> {
    const { rowCount } = await this.database.query('select from invoices where order_id = $1', [order]);
    return rowCount!;
  }

  /** The runs of the batch so far, with the process of each. */
  async runs(): Promise<{ pid: number; startedAt: Date }[]> {
    const { rows } = await this.database.query<{ pid: number; startedAt: Date }>(
      'select pid, started_at as "startedAt" from batch_runs order by started_at',
    );
    return rows;
  }

  async close(): Promise<void> {
    await Promise.all([...this.apis.map(({ program }) => program), ...this.workers].map((program) => program.kill()));
    if (this.form === 'separated') await this.removeQueue();
    await this.database.query(`drop schema ${this.schema} cascade`);
    await this.database.end();
  }

  private async removeQueue(): Promise<void> {
    const queue = new Queue(this.schema, { connection: queueConnection({ REDIS_URL: this.settings.redisUrl }) });
    await queue.obliterate({ force: true });
    await queue.close();
  }

  private async answers(url: string): Promise<boolean> {
    return fetch(`${url}/orders`, { signal: AbortSignal.timeout(2000) }).then(
      (response) => response.ok,
      () => false,
    );
  }

  private assertWorkers(): void {
    for (const worker of this.workers) {
      if (!worker.running) throw new Error(`A worker has ended:\n${worker.lastWords}`);
    }
  }

  private environment(): Record<string, string> {
    return { DATABASE_URL: this.settings.databaseUrl, DATABASE_SCHEMA: this.schema };
  }
}

/**
 * What a long transaction elsewhere does to the queue, for `npm run measure:held-xmin`. Operations come at half of what the
 * worker was measured to execute; then other sessions open transactions and keep them open, one that only reads and one that has
 * written. The control claims without watermarks. Throughput is what is executed in the last minute against the minute before they were opened.
 */
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { ClaimCursor } from '../../src/services/queue/claim-cursor.js';
import { clientOptions } from '../support/test-databases.js';
import { newOperation, openWorkerWith, type TestWorker } from '../support/worker.js';
import { judge, median, numberOption, say, withMeasuringDatabase, type MeasuringDatabase } from './measuring.js';

const SECONDS = numberOption('seconds', 300);
const WINDOW_SECONDS = Math.min(60, SECONDS / 2);
/** It shows much sooner. */
const CONTROL_SECONDS = Math.min(SECONDS, 120);
const FEED_MS = 50;

// Rows that are only inserted: versions of updated ones would pile up in the target itself.
const DDL = 'create table item (id bigint primary key, n bigint)';
/** One that only reads keeps dead rows alive; one that has written is besides older than whatever comes into the queue. */
const HOLDERS = [
  'begin isolation level repeatable read; select 1 from item limit 1',
  'begin; insert into elsewhere values (1)',
];

interface Run {
  name: string;
  watermarks: boolean;
}

/** Executes and feeds until `stop` is called. */
class Queue {
  private readonly abort = new AbortController();
  private readonly loops: Promise<void>[] = [];
  fed = 0;
  private next = 0;

  constructor(private readonly worker: TestWorker) {}

  execute(): void {
    this.loops.push(
      this.repeat(async () => {
        const delayMs = await this.worker.job.poll(this.abort.signal);
        await delay(Math.min(delayMs, 20));
      }),
    );
  }

  feed(perSecond: number): void {
    const startedAt = performance.now();
    this.loops.push(
      this.repeat(async () => {
        const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond) - this.fed;
        if (due > 0) await this.add(due);
        await delay(FEED_MS);
      }),
    );
  }

  async add(count: number): Promise<void> {
    this.fed += count;
    await this.worker.queue.enqueue(
      Array.from({ length: count }, () =>
        newOperation({
          type: 'insert',
          target: 'public.item',
          values: JSON.stringify({ id: (this.next += 1), n: 1 }),
        }),
      ),
    );
  }

  async stop(): Promise<void> {
    this.abort.abort();
    await Promise.all(this.loops);
  }

  private async repeat(work: () => Promise<void>): Promise<void> {
    while (!this.abort.signal.aborted) await work();
  }
}

async function executed(database: MeasuringDatabase): Promise<number> {
  const { rows } = await database.client.query<{ n: number }>(
    'select coalesce(sum(completed), 0)::int as n from batch.chunks',
  );
  return rows[0]!.n;
}

async function rateOver(database: MeasuringDatabase, seconds: number): Promise<number> {
  const before = await executed(database);
  const startedAt = performance.now();
  await delay(seconds * 1000);
  return ((await executed(database)) - before) / ((performance.now() - startedAt) / 1000);
}

async function empty({ client }: MeasuringDatabase): Promise<void> {
  await client.query('truncate item, batch.operations, batch.pending, batch.outcomes, batch.chunks');
}

/** Operations a second with a full queue. */
async function capacity(database: MeasuringDatabase): Promise<number> {
  await empty(database);
  const worker = await openWorkerWith(database.settings());
  const queue = new Queue(worker);
  const rates: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    for (let at = 0; at < 30_000; at += 5000) await queue.add(5000);
    const startedAt = performance.now();
    const abort = new AbortController();
    for (let polls = 0; polls < 30; polls += 1) await worker.job.poll(abort.signal);
    rates.push(30_000 / ((performance.now() - startedAt) / 1000));
  }
  await worker.close();
  return median(rates);
}

/** Answers the throughput of the last window, as a share of that before. */
async function run(database: MeasuringDatabase, { name, watermarks }: Run, perSecond: number): Promise<number> {
  await empty(database);
  const watermarksAt = ClaimCursor.prototype.watermarksAt;
  if (!watermarks) {
    ClaimCursor.prototype.watermarksAt = function (now) {
      const { after, requeueEpoch } = watermarksAt.call(this, now);
      return { after: after.map(() => 0), requeueEpoch };
    };
  }
  const worker = await openWorkerWith(database.settings());
  const queue = new Queue(worker);
  const holders = HOLDERS.map(() => new pg.Client(clientOptions(database.connection)));
  for (const holder of holders) await holder.connect();
  try {
    queue.execute();
    queue.feed(perSecond);
    await delay(3000);
    const before = await rateOver(database, WINDOW_SECONDS);
    for (const [index, holder] of holders.entries()) await holder.query(HOLDERS[index]!);
    const rates: number[] = [];
    for (let passed = 0; passed < (watermarks ? SECONDS : CONTROL_SECONDS); passed += WINDOW_SECONDS) {
      rates.push(await rateOver(database, WINDOW_SECONDS));
    }
    const last = rates.at(-1)!;
    const shown = rates.map((rate) => Math.round(rate)).join(' ');
    say(
      `${name.padEnd(44)} before ${Math.round(before)}/s, held ${shown}; last ${(last / before).toFixed(2)} of before, ` +
        `${queue.fed - (await executed(database))} wait`,
    );
    return last / before;
  } finally {
    await queue.stop();
    for (const holder of holders) await holder.end();
    await worker.close();
    ClaimCursor.prototype.watermarksAt = watermarksAt;
  }
}

async function main(database: MeasuringDatabase): Promise<void> {
  await database.client.query('create table elsewhere (id int)');
  const full = await capacity(database);
  say(`capacity ${Math.round(full)}/s; half of it comes; windows of ${WINDOW_SECONDS} s, held for ${SECONDS} s`);
  const share = await run(database, { name: 'as it is', watermarks: true }, full / 2);
  judge('at least 0.95 of the throughput before', share >= 0.95);
  const control = await run(database, { name: 'control: claims without watermarks', watermarks: false }, full / 2);
  judge('the control falls below half', control < 0.5);
}

await withMeasuringDatabase('held_xmin', DDL, main);

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { INestMicroservice } from '@nestjs/common';
import type pg from 'pg';
import { BatchServiceClient, type IBatchOperation } from '../src/client/index.js';
import type { Settings } from '../src/services/config/settings.js';
import type { Cleanup } from '../test/support/cleanup.js';
import { compareTable, type TableComparison } from './compare-tables.js';
import { connected, openDatabase, type DemoDatabase } from './demo-database.js';
import { DemoService, type ChunkFigures } from './demo-service.js';
import { openTransport } from './demo-transport.js';
import { handOver, type Answer } from './hand-over.js';
import type { DemoOptions } from './options.js';
import type { Bar, Progress } from './progress.js';
import { executeAlone, type RowOutcome } from './row-by-row.js';
import { Notifications, type Verdict } from './settled-listener.js';
import { createShopTables, TABLES } from './shop-tables.js';
import { startShop } from './shop.module.js';
import type { DemoResult } from './summary.js';
import { differencesOf, nameOf, type Story } from './verify.js';
import type { WorkItem } from './work-item.js';
import { buildWorkload, inOrder, type Workload } from './workload.js';

/** Schema of the same tables, for the same operations row by row. */
const ALONE = 'row_by_row';

export interface DemoContext {
  options: DemoOptions;
  settings: Settings;
  cleanup: Cleanup;
  progress: Progress;
  /** Ends the demo, with a reason. */
  abort: AbortController;
  say: (line: string) => void;
}

/** The whole demo: the service does the work, then the same work is done row by row, then both are compared. */
export async function runDemo(context: DemoContext): Promise<DemoResult> {
  const { options, abort } = context;
  const workload = buildWorkload(options.operations, options.seed);
  const items = inOrder(workload);

  const database = await prepareDatabase(context);
  const { exitStatus, ...batched } = await runThroughService(context, database, workload);
  const accepted = items.filter((_, index) => 'accepted' in batched.answers[index]!);
  const alone = await runAlone(database, accepted, context.progress.bar('row by row', accepted.length), abort.signal);
  const tables = await connected(database.connection, (client) => compareTables(client));

  const stories = tellStories(items, batched, alone.outcomes);
  return {
    ...{ stories, chunks: batched.chunks, tables, repeated: batched.repeated },
    ...{ endToEndMs: batched.endToEndMs, rowByRowMs: alone.ms },
    differences: [
      ...stories.flatMap((story) => differencesOf(story).map((text) => `${nameOf(story)}: ${text}`)),
      ...tables.flatMap(({ differences }) => differences),
      ...(exitStatus === 0 ? [] : [`the service stopped on SIGTERM with ${exitStatus}`]),
    ],
  };
}

async function prepareDatabase({ options, settings, cleanup, say }: DemoContext): Promise<DemoDatabase> {
  await mkdir(options.directory, { recursive: true });
  const place = { name: options.database, directory: join(options.directory, 'postgres') };
  const database = await openDatabase(settings.database, place, cleanup);
  say(`  database   ${database.description}`);
  await connected(database.connection, async (client) => {
    await client.query(`create schema ${ALONE}`);
    for (const schema of ['public', ALONE]) await client.query(createShopTables(schema));
  });
  return database;
}

interface Batched {
  answers: Answer[];
  verdicts: ReadonlyMap<string, Verdict>;
  repeated: number;
  endToEndMs: number;
  chunks: ChunkFigures[];
  operations: ReadonlyMap<string, IBatchOperation>;
  exitStatus: number | string;
}

async function runThroughService(context: DemoContext, database: DemoDatabase, workload: Workload): Promise<Batched> {
  const { settings, options, cleanup, abort, say } = context;
  const transport = await openTransport(settings, cleanup);
  say(`  transport  ${transport.description}`);
  const logFile = join(options.directory, 'service.log');
  const service = await DemoService.start({ ...database.environment, ...transport.environment }, logFile);
  cleanup.add('The service is not stopped', () => service.stop());
  service.onCrash((error) => abort.abort(error));
  await service.ready(abort.signal);
  say(`  service    process ${service.pid}, ${service.url}/api/docs, log in ${logFile}`);
  const shop = await startShop(transport);
  cleanup.add('The shop is not closed', () => shop.close());
  say('');

  const answered = await runShop(shop, workload, context);
  const [chunks, operations] = [await service.chunks(), await service.operations()];
  return {
    ...answered,
    chunks,
    operations: new Map(operations.map((operation) => [operation.id, operation])),
    exitStatus: await service.stop(),
  };
}

type Answered = Pick<Batched, 'answers' | 'verdicts' | 'repeated' | 'endToEndMs'>;

/** Acts as another service: sends operations and waits for the notification of each. */
async function runShop(shop: INestMicroservice, workload: Workload, context: DemoContext): Promise<Answered> {
  const { progress, abort } = context;
  const client = shop.get(BatchServiceClient, { strict: false });
  const notifications = shop.get(Notifications);
  abort.signal.addEventListener('abort', () => void client.close());

  const items = inOrder(workload);
  const acceptable = items.filter(({ expected }) => expected.status !== 'refused');
  const enqueued = progress.bar('enqueued', items.length);
  const settled = progress.bar('settled', acceptable.length);
  let handedOver = 0;
  notifications.onChange(() => settled(notifications.verdicts.size));

  const startedAt = performance.now();
  const answers = await handOver(client, workload, (count) => enqueued((handedOver += count))).catch(
    (error: unknown) => {
      // The error of a closed client does not say why it was closed.
      abort.signal.throwIfAborted();
      throw error;
    },
  );
  const accepted = answers.flatMap((answer) => ('accepted' in answer ? [answer.accepted] : []));
  await notifications.waitFor(accepted, abort.signal);
  const { verdicts, repeated, latestAt } = notifications;
  return { answers, verdicts, repeated, endToEndMs: latestAt - startedAt };
}

async function runAlone(
  database: DemoDatabase,
  items: readonly WorkItem[],
  bar: Bar,
  signal: AbortSignal,
): Promise<{ outcomes: ReadonlyMap<WorkItem, RowOutcome>; ms: number }> {
  return connected(database.connection, async (client) => {
    await client.query(`set search_path to ${ALONE}`);
    const outcomes = new Map<WorkItem, RowOutcome>();
    const startedAt = performance.now();
    for (const item of items) {
      outcomes.set(item, await executeAlone(client, item.request));
      if (outcomes.size % 100 === 0) bar(outcomes.size);
      signal.throwIfAborted();
    }
    const ms = performance.now() - startedAt;
    bar(outcomes.size);
    return { outcomes, ms };
  });
}

async function compareTables(client: pg.Client): Promise<TableComparison[]> {
  const comparisons: TableComparison[] = [];
  for (const table of TABLES) comparisons.push(await compareTable(client, table, ['public', ALONE]));
  return comparisons;
}

function tellStories(
  items: readonly WorkItem[],
  { answers, verdicts, operations }: Pick<Batched, 'answers' | 'verdicts' | 'operations'>,
  alone: ReadonlyMap<WorkItem, RowOutcome>,
): Story[] {
  return items.map((item, index) => {
    const answer = answers[index]!;
    if ('refused' in answer) return { item, answer };
    const id = answer.accepted;
    return { item, answer, notified: verdicts.get(id), operation: operations.get(id), alone: alone.get(item) };
  });
}

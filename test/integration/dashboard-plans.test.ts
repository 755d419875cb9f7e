import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PauseKind } from '../../src/interfaces/pause.js';
import { batchTables } from '../../src/batch/repository/batch-tables.js';
import { selectExecutions } from '../../src/batch/repository/job-executions.sql.js';
import { selectSkippedItems } from '../../src/batch/repository/step-executions.sql.js';
import type { SqlStatement } from '../../src/interfaces/sql.js';
import { selectAlerts } from '../../src/services/alerts/alerts.sql.js';
import { selectActions } from '../../src/services/bulk-actions/bulk-actions.sql.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import {
  countParkedNotifications,
  selectParkedNotifications,
} from '../../src/services/notification/notification.sql.js';
import { FailuresService } from '../../src/services/outcomes/failures.service.js';
import { selectGroupMembers } from '../../src/services/outcomes/chunks.sql.js';
import { selectFailures, selectFailuresSince } from '../../src/services/outcomes/failures.sql.js';
import { selectStats } from '../../src/services/outcomes/outcomes.sql.js';
import { insertSample, selectSamples } from '../../src/services/outcomes/stats-samples.sql.js';
import { StatsService } from '../../src/services/outcomes/stats.service.js';
import { selectLanes } from '../../src/services/queue/lane-list.sql.js';
import { MOST_COUNTED, MOST_EXAMINED } from '../../src/services/pauses/pauses.js';
import { countWaiting } from '../../src/services/pauses/pauses.sql.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { FILLED_FROM, fillWithOperations } from '../support/million-operations.js';
import { testSettings } from '../support/test-settings.js';

/** Each list of the dashboard takes no longer in the database. */
const LONGEST_MS = 200;
/** The test machine does other things as well, so the quickest of some runs counts. */
const RUNS = 5;

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  Plans?: PlanNode[];
}

let database: TestDatabase;
let dataSource: DataSource;
let service: DatabaseService;

beforeAll(async () => {
  database = await createTestDatabase();
  await fillWithOperations(database);
  await database.client.query(
    'insert into batch.pending (seq, shape, lane, priority) select n, 1, 1, 0 from generate_series(2000001, 3000000) n',
  );
  await database.client.query('vacuum analyze batch.pending');
  dataSource = await createDataSource(testSettings(database.environment)).initialize();
  service = new DatabaseService(dataSource);
}, 120_000);
afterAll(async () => {
  await dataSource?.destroy();
  await database?.drop();
});

async function explain({ text, values }: SqlStatement): Promise<{ ms: number; read: Record<string, number> }> {
  const { rows } = await database.client.query<{ 'QUERY PLAN': [{ Plan: PlanNode; 'Execution Time': number }] }>(
    `explain (analyze, timing off, format json) ${text}`,
    values,
  );
  const [{ Plan, 'Execution Time': ms }] = rows[0]!['QUERY PLAN'];
  const read: Record<string, number> = {};
  for (const node of nodesOf(Plan)) {
    const relation = node['Relation Name'];
    if (relation === undefined) continue;
    const rowsRead = (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
    read[relation] = (read[relation] ?? 0) + rowsRead;
  }
  return { ms, read };
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

async function quickest(statement: SqlStatement): Promise<{ ms: number; read: Record<string, number> }> {
  const runs = [];
  for (let run = 0; run < RUNS; run += 1) runs.push(await explain(statement));
  return runs.sort((a, b) => a.ms - b.ms)[0]!;
}

const LIMITS = { kinds: 100, examined: 4000, counted: 10_000 };
const ANY = { code: undefined, target: undefined, source: undefined };
const SINCE = new Date(FILLED_FROM).toISOString();

const countPaused = (kind: PauseKind, name: string): SqlStatement =>
  countWaiting(kind, name, MOST_COUNTED, MOST_EXAMINED);

describe('with a million operations that wait, and most of a million that failed', () => {
  it.each<[string, SqlStatement, number]>([
    // The count, and the first operations of each place for the lag. Before PostgreSQL 18, a plan rounds the latter to 0.
    ['the stats', selectStats(50_000), 50_020],
    ['all lanes', selectLanes(10_001), 30_000],
    ['the failures', selectFailures(ANY, undefined, LIMITS), 25_000],
    ['the failures of a rare table', selectFailures({ ...ANY, target: 'public.rare' }, undefined, LIMITS), 25_000],
    ['the failures of a code', selectFailures({ ...ANY, code: 'MISSING_PARENT' }, undefined, LIMITS), 25_000],
    ['a later page of failures', selectFailures(ANY, { code: 'MISSING_PARENT', constraint: '' }, LIMITS), 25_000],
    ['the failures since a time', selectFailuresSince(SINCE, ANY, undefined, { ...LIMITS, examined: 10_000 }), 25_000],
    ['the history', selectSamples(60), 1000],
    ['the pause of a source of which most wait', countPaused('source', 'often'), 50_001],
    ['the pause of a source of which nothing waits', countPaused('source', 'nobody'), 50_001],
    ['the pause of a table', countPaused('target', 'public.common'), 50_001],
    ['the pause of a table of which nothing waits', countPaused('target', 'public.rare'), 50_001],
    ['the pause of a lane', countPaused('lane', '1'), 50_001],
  ])('%s take less than 200 ms, and read a bounded number of rows', async (_, statement, most) => {
    const { ms, read } = await quickest(statement);
    for (const [relation, rows] of Object.entries(read)) {
      expect(rows, `rows of ${relation}`).toBeLessThanOrEqual(most);
    }
    expect(ms).toBeLessThan(LONGEST_MS);
  });

  it('a sample of a later interval reads only what happened in it', async () => {
    const at = new Date(FILLED_FROM + 400_000);
    await service.query(insertSample(new Date(at.getTime() - 10_000), true));
    await database.client.query('update batch.stats_samples set last_seq = 990000');
    const { read } = await explain(insertSample(at, false));
    // One operation failed each millisecond.
    expect(read.outcomes).toBeLessThanOrEqual(10_001);
    expect(read.operations).toBeLessThanOrEqual(10_100);
    expect(read.pending ?? 0).toBeLessThanOrEqual(100);
  });

  it('the numbers beyond the bound are those of the last sample', async () => {
    await service.query(insertSample(new Date(), true));
    expect(await new StatsService(service).stats()).toMatchObject({
      ...{ pending: 1_050_000, pendingIsExact: false, failed: 792_000, failedIsExact: false },
      ...{ scheduled: 50_000, scheduledIsExact: true },
    });
  });

  it('every kind of failure is found, and the counts say that they are not exact', async () => {
    const { items, isComplete } = await new FailuresService(service).list({});
    expect(isComplete).toBe(false);
    expect(items.map(({ code, constraint, target, countIsExact }) => [code, constraint, target, countIsExact])).toEqual(
      [
        ['MISSING_PARENT', 'common_parent_fkey', 'public.common', true],
        ['UNIQUE_VIOLATION', 'common_pkey', 'public.common', false],
      ],
    );
  });
});

describe('with a hundred thousand executions, bulk actions, alerts and parked notifications', () => {
  const NEWEST = '9223372036854775807';
  const tables = batchTables('batch');

  beforeAll(async () => {
    await database.client.query(`
      insert into batch.job_instances (job_name, job_key) select case when n % 10000 = 0 then 'rare' else 'frequent' end, n::text from generate_series(1, 100000) n;
      insert into batch.job_executions (job_instance_id, job_name, status, exit_code, parameters, context, lease_until)
        select id, job_name, 'COMPLETED', 'COMPLETED', '{}', '{}', now() from batch.job_instances order by id;
      insert into batch.step_executions (job_execution_id, step_name, status, exit_code, context)
        select id, 'step', 'COMPLETED', 'COMPLETED', '{}' from batch.job_executions order by id;
      insert into batch.skipped_items (step_execution_id, phase, error_name, message)
        select case when n % 2 = 0 then 1 else n % 100000 + 1 end, 'read', 'Error', 'bad' from generate_series(1, 200000) n;
      insert into batch.bulk_actions (id, action, status, filter, matched, last_seq, leased_until)
        select gen_random_uuid(), 'retry', 'completed', '{}', 1, 1, now() from generate_series(1, 100000);
      insert into batch.alerts (first_at, last_at, notified_at, resolved_at, rule, subject, title, text)
        select now(), now(), now(), now() - n * interval '1 s', 'lag', '', 'It waits', '' from generate_series(1, 100000) n;
      insert into batch.alert_deliveries (alert_id, created_at, next_try_at, sent_at, channel, event, title, text)
        select id, now(), now(), now(), 'slack', 'firing', 'It waits', '' from batch.alerts;
      insert into batch.parked_notifications (chunk_id, source, reason, failures, parked_at, next_try_at)
        select n, 's', 'no queue', 1, now(), now() from generate_series(1, 100000) n;
      update batch.chunks set members = decode(repeat('01', 1000), 'hex') where id = 50;
      analyze batch.job_instances, batch.job_executions, batch.step_executions, batch.skipped_items, batch.bulk_actions, batch.alerts,
        batch.alert_deliveries, batch.parked_notifications`);
  }, 120_000);

  it.each<[string, SqlStatement, number]>([
    ['executions', selectExecutions(tables, { limit: 50 }), 100],
    [
      'executions of a frequent job',
      selectExecutions(tables, { jobName: 'frequent', before: '50000', limit: 50 }),
      100,
    ],
    ['executions of a rare job', selectExecutions(tables, { jobName: 'rare', limit: 50 }), 100],
    ['items that an execution has skipped', selectSkippedItems(tables, '1', { after: '50000', limit: 50 }), 100],
    ['bulk actions', selectActions(50, NEWEST, undefined), 100],
    ['a later page of bulk actions', selectActions(50, '50000', undefined), 100],
    ['alerts', selectAlerts(), 1000],
    ['parked notifications', selectParkedNotifications({ chunkId: '0', source: '' }, 100), 100],
    ['a later page of parked notifications', selectParkedNotifications({ chunkId: '50000', source: 's' }, 100), 100],
    // The health has their exact number.
    ['the number of parked notifications', countParkedNotifications(), 100_000],
    // All operations of the chunk.
    ['the operations of a group of a chunk', selectGroupMembers('50', 0, '0', 100), 1001],
  ])('%s take less than 200 ms, and read a bounded number of rows', async (_, statement, most) => {
    const { ms, read } = await quickest(statement);
    for (const [relation, rows] of Object.entries(read)) {
      expect(rows, `rows of ${relation}`).toBeLessThanOrEqual(most);
    }
    expect(ms).toBeLessThan(LONGEST_MS);
  });
});

import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Lets the backlog be counted by party (see `services/backpressure/party.ts`), and scheduled operations be found apart from those that
 * are tried again: however many are due and wait for room, they are in nobody's way.
 */
export class AddParty1764200100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

/** What waits already has no known caller, so its party is its source. */
const fill = (table: string): string => `
  update batch.${table} w
  set party = ('x' || left(encode(sha256(convert_to(o.source, 'UTF8')), 'hex'), 8))::bit(32)::int4
  from batch.operations o where o.seq = w.seq and o.source is not null`;

const UP = [
  'alter table batch.pending add column party int not null default 0',
  'alter table batch.delayed add column party int not null default 0',
  fill('pending'),
  fill('delayed'),
  'drop index batch.delayed_available_at_idx',
  `create index delayed_scheduled_idx on batch.delayed (available_at, seq) where (reason = 'scheduled'::text)`,
  `create index delayed_scheduled_lane_idx on batch.delayed (lane, available_at, seq) where (reason = 'scheduled'::text)`,
  `create index delayed_retried_idx on batch.delayed (available_at, seq)
   where (reason = any (array['retry'::text, 'behind'::text]))`,
];

const DOWN = [
  'drop index batch.delayed_retried_idx, batch.delayed_scheduled_lane_idx, batch.delayed_scheduled_idx',
  'create index delayed_available_at_idx on batch.delayed (available_at)',
  'alter table batch.delayed drop column party',
  'alter table batch.pending drop column party',
];

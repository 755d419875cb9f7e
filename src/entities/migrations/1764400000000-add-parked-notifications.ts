import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A notification that the broker refuses no longer keeps all others waiting. */
export class AddParkedNotifications1764400000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`create table batch.parked_notifications (
      chunk_id bigint not null,
      source text not null,
      reason text not null,
      failures integer not null,
      parked_at timestamptz not null,
      next_try_at timestamptz not null,
      constraint parked_notifications_pkey primary key (chunk_id, source)
    )`);
    await runner.query(
      `comment on table batch.parked_notifications is 'Notifications that the broker refuses while it takes others. They are tried again seldom.'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table batch.parked_notifications');
  }
}

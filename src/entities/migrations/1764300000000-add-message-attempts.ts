import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Remembers which messages were begun again after they came back to the queue, to find the one that ends its process. */
export class AddMessageAttempts1764300000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`create table batch.message_attempts (
      fingerprint uuid not null constraint message_attempts_pkey primary key,
      attempts int2 not null,
      last_at timestamptz not null
    )`);
    await runner.query(
      `comment on table batch.message_attempts is 'Messages that came back to the queue and are executed again. One that ends its process twice is parked.'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table batch.message_attempts');
  }
}

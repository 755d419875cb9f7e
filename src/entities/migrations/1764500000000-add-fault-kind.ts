import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What kind of failure a lane met that stands still: one of a bug is tried otherwise than one of a lock. */
export class AddFaultKind1764500000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table batch.lane_faults add column kind text not null default 'transient'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table batch.lane_faults drop column kind');
  }
}

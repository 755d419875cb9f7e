import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createIndexConcurrently } from './create-index-concurrently.js';

/** Finds outcomes by their age, for retention; keeps which sources of a chunk had no queue bound when it was announced. */
export class AddRetention1764000300000 implements MigrationInterface {
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await createIndexConcurrently(runner, { name: 'outcomes_settled_at_idx', on: 'batch.outcomes (settled_at)' });
    await runner.query('alter table batch.chunks add column if not exists unrouted text[]');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table batch.chunks drop column unrouted');
    await runner.query('drop index batch.outcomes_settled_at_idx');
  }
}

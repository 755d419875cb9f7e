import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Keeps with each chunk what its groups were. `json` and not `jsonb`: it is written by every chunk, read seldom and whole, and
 * takes whatever text a value in it may hold. Chunks before it have none.
 */
export class AddChunkPlan1763900000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table batch.chunks add column plan json');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table batch.chunks drop column plan');
  }
}

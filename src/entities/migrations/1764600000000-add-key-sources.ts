import type { MigrationInterface, QueryRunner } from 'typeorm';

/** In whose name a key may hand over operations. Keys that are there already keep what they could do: any. */
export class AddKeySources1764600000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table batch.api_keys add column sources text[]');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table batch.api_keys drop column sources');
  }
}

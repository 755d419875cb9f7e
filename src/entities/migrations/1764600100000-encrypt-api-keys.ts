import { Logger } from '@nestjs/common';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The secret of the service encrypts what is stored of an API key, so that it can be changed. What stood there before was a keyed
 * hash, which nobody can convert: those keys are revoked.
 */
export class EncryptApiKeys1764600100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const revoked = await revokeAll(runner);
    await runner.query(`alter table batch.api_keys
      drop column secret_hash,
      add column secret_version text not null default 'none',
      add column secret_box bytea not null default ''`);
    await runner.query(
      `alter table batch.api_keys alter column secret_version drop default, alter column secret_box drop default`,
    );
    await runner.query(
      `comment on table batch.api_keys is 'Keys of callers: the encrypted SHA-256 of the secret, scopes, and the tables and sources a key is limited to.'`,
    );
    if (revoked > 0) {
      new Logger(EncryptApiKeys1764600100000.name).warn(
        `${revoked} API keys were revoked: what was stored of them cannot be converted. Make new ones with \`node dist/keys.js create\``,
      );
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await revokeAll(runner);
    await runner.query(`alter table batch.api_keys
      drop column secret_version,
      drop column secret_box,
      add column secret_hash bytea not null default ''`);
    await runner.query(`alter table batch.api_keys alter column secret_hash drop default`);
    await runner.query(
      `comment on table batch.api_keys is 'Keys of callers: HMAC-SHA256 of the secret, scopes, and the tables a key is limited to.'`,
    );
  }
}

async function revokeAll(runner: QueryRunner): Promise<number> {
  const revoked = (await runner.query(
    `with revoked as (update batch.api_keys set revoked_at = now() where revoked_at is null returning 1)
     select count(*)::int as count from revoked`,
  )) as { count: number }[];
  return revoked[0]?.count ?? 0;
}

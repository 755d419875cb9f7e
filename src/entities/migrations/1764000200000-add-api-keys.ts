import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who may use REST and RPC over TCP. Of a key's secret only a keyed hash is stored. */
export class AddApiKeys1764000200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`create table batch.api_keys (
      id text not null constraint api_keys_pkey primary key,
      name text not null,
      secret_hash bytea not null,
      scopes text[] not null,
      targets text[],
      created_at timestamptz not null default now(),
      expires_at timestamptz,
      revoked_at timestamptz
    )`);
    await runner.query(
      `comment on table batch.api_keys is 'Keys of callers: HMAC-SHA256 of the secret, scopes, and the tables a key is limited to.'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table batch.api_keys');
  }
}

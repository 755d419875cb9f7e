import type { SqlStatement } from '../database/sql.js';

export interface NewApiKey {
  id: string;
  name: string;
  secretHash: Buffer;
  scopes: readonly string[];
  targets: readonly string[] | null;
  sources: readonly string[] | null;
  expiresInDays: number | null;
}

export function insertApiKey({
  id,
  name,
  secretHash,
  scopes,
  targets,
  sources,
  expiresInDays,
}: NewApiKey): SqlStatement {
  return {
    text: `
      insert into batch.api_keys (id, name, secret_hash, scopes, targets, sources, expires_at)
      values ($1::text, $2::text, $3::bytea, $4::text[], $5::text[], $6::text[], now() + make_interval(days => $7::int))`,
    values: [id, name, secretHash, scopes, targets, sources, expiresInDays],
  };
}

export function selectApiKeys(): SqlStatement {
  return {
    text: `
      select id, name, scopes, targets, sources, created_at as "createdAt", expires_at as "expiresAt", revoked_at as "revokedAt",
        case when revoked_at is not null then 'revoked' when expires_at <= now() then 'expired' else 'active' end as state
      from batch.api_keys
      order by created_at, id`,
  };
}

/** Answers one row where there is such a key; `already`: it was revoked before. */
export function revokeApiKey(id: string): SqlStatement {
  return {
    text: `
      with before as (select id, revoked_at from batch.api_keys where id = $1::text for update)
      update batch.api_keys k set revoked_at = coalesce(k.revoked_at, now())
      from before where k.id = before.id
      returning k.name, before.revoked_at is not null as already`,
    values: [id],
  };
}

/** What is needed to let the callers with these keys in. */
export function selectCredentials(ids: readonly string[]): SqlStatement {
  return {
    name: 'batch.select_credentials',
    text: `
      select id, secret_hash as "secretHash", scopes, targets, sources, expires_at as "expiresAt", revoked_at as "revokedAt"
      from batch.api_keys
      where id = any($1::text[])`,
    values: [ids],
  };
}

import type { SqlStatement } from '../database/sql.js';
import type { SealedHash } from './sealed-hash.js';

export interface NewApiKey {
  id: string;
  name: string;
  sealed: SealedHash;
  scopes: readonly string[];
  targets: readonly string[] | null;
  sources: readonly string[] | null;
  expiresInDays: number | null;
  /** Who creates it, see `callerName`. */
  actor: string;
}

export function insertApiKey(key: NewApiKey): SqlStatement {
  const { id, name, sealed, scopes, targets, sources, expiresInDays, actor } = key;
  return {
    text: `
      with made as (
        insert into batch.api_keys (id, name, secret_version, secret_box, scopes, targets, sources, expires_at)
        values ($1::text, $2::text, $3::text, $4::bytea, $5::text[], $6::text[], $7::text[], now() + make_interval(days => $8::int))
        returning id, name, scopes, targets, sources, expires_at
      )
      insert into batch.audit (act, actor, subject_kind, subject, details)
      select 'create_key', $9::text, 'key', id, jsonb_build_object(
        'name', name, 'scopes', scopes, 'targets', targets, 'sources', sources, 'expiresAt', expires_at
      )
      from made`,
    values: [id, name, sealed.version, sealed.box, scopes, targets, sources, expiresInDays, actor],
  };
}

export function selectApiKeys(): SqlStatement {
  return {
    text: `
      select id, name, scopes, targets, sources, created_at as "createdAt", expires_at as "expiresAt", revoked_at as "revokedAt",
        secret_version as "secretVersion",
        case when revoked_at is not null then 'revoked' when expires_at <= now() then 'expired' else 'active' end as state
      from batch.api_keys
      order by created_at, id`,
  };
}

/** Returns one row if there is such a key. `already`: it had been revoked before. */
export function revokeApiKey(id: string, actor: string): SqlStatement {
  return {
    text: `
      with before as (select id, revoked_at from batch.api_keys where id = $1::text for update),
      revoked as (
        update batch.api_keys k set revoked_at = coalesce(k.revoked_at, now())
        from before where k.id = before.id
        returning k.id, k.name, before.revoked_at is not null as already
      ),
      recorded as (
        insert into batch.audit (act, actor, subject_kind, subject, details)
        select 'revoke_key', $2::text, 'key', id, jsonb_build_object('name', name) from revoked where not already
      )
      select name, already from revoked`,
    values: [id, actor],
  };
}

/** The data that is needed to check these keys. */
export function selectCredentials(ids: readonly string[]): SqlStatement {
  return {
    name: 'batch.select_credentials',
    text: `
      select id, secret_version as "version", secret_box as "box", scopes, targets, sources, expires_at as "expiresAt",
        revoked_at as "revokedAt"
      from batch.api_keys
      where id = any($1::text[])`,
    values: [ids],
  };
}

/** Every key that is not encrypted with this version, also revoked keys. */
export function selectSealedOtherwise(version: string): SqlStatement {
  return {
    text: `
      select id, secret_version as "version", secret_box as "box", revoked_at is not null as revoked
      from batch.api_keys where secret_version <> $1::text order by created_at, id`,
    values: [version],
  };
}

/**
 * Replaces only where the stored value is still the one that was opened: another `rotate` may have been faster. Returns
 * the ids.
 */
export function replaceSealed(
  keys: readonly { id: string; before: SealedHash; after: SealedHash }[],
  actor: string,
): SqlStatement {
  return {
    text: `
      with replaced as (
        update batch.api_keys k set secret_version = n.version, secret_box = n.box
        from unnest($1::text[], $2::bytea[], $3::text[], $4::bytea[]) n(id, before, version, box)
        where k.id = n.id and k.secret_box = n.before
        returning k.id, n.version
      ),
      recorded as (
        insert into batch.audit (act, actor, subject_kind, subject, details)
        select 'rotate_key', $5::text, 'key', id, jsonb_build_object('secretVersion', version) from replaced
      )
      select id from replaced`,
    values: [
      keys.map(({ id }) => id),
      keys.map(({ before }) => before.box),
      keys.map(({ after }) => after.version),
      keys.map(({ after }) => after.box),
      actor,
    ],
  };
}

/** The keys that would be valid if one of these secrets could decrypt them. */
export function selectUnreadable(versions: readonly string[]): SqlStatement {
  return {
    text: `
      select id, name from batch.api_keys
      where secret_version <> all($1::text[]) and revoked_at is null and (expires_at is null or expires_at > now())
      order by created_at, id`,
    values: [versions],
  };
}

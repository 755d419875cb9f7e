import type { DatabaseService } from '../database/database.service.js';
import type { Scope } from './access.js';
import { formatApiKey, generateApiKey } from './api-key.js';
import { insertApiKey, replaceSealed, revokeApiKey, selectApiKeys, selectSealedOtherwise } from './api-keys.sql.js';
import { hashOf, openHash, sealHash, type SealedHash, type SealingKey } from './sealed-hash.js';

export interface ApiKeyRequest {
  name: string;
  scopes: readonly Scope[];
  /** Written as in `BATCH_ALLOWED_TARGETS`. Undefined: all that the service allows. */
  targets: readonly string[] | undefined;
  /** The sources for which operations may be sent. Undefined: any source. */
  sources: readonly string[] | undefined;
  /** Undefined: it never expires. */
  expiresInDays: number | undefined;
}

export interface ApiKeyDescription {
  id: string;
  name: string;
  state: 'active' | 'expired' | 'revoked';
  scopes: Scope[];
  targets: string[] | null;
  sources: string[] | null;
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
  /** The service's secret that it is encrypted with, see `sealingKey`. */
  secretVersion: string;
}

export interface Rotation {
  /** Ids of the keys that are now encrypted with the current secret, and were not before. */
  rotated: string[];
  /** Ids of the keys that none of the secrets can decrypt, and that are not revoked. */
  unknown: string[];
}

/**
 * Creates, lists and revokes the API keys of callers, and encrypts them with a new secret. Only its owner knows the
 * secret of a key: the service stores its hash, encrypted.
 */
export class ApiKeysService {
  /** @param actor who does it, see `callerName` */
  constructor(
    private readonly database: Pick<DatabaseService, 'query'>,
    private readonly actor: string,
  ) {}

  /** @returns the key's text, which cannot be shown again */
  async create(
    { name, scopes, targets, sources, expiresInDays }: ApiKeyRequest,
    sealingKey: SealingKey,
  ): Promise<string> {
    const key = generateApiKey();
    const statement = insertApiKey({
      id: key.id,
      name,
      sealed: sealHash(sealingKey, key.id, hashOf(key.secret)),
      scopes,
      targets: targets ?? null,
      sources: sources ?? null,
      expiresInDays: expiresInDays ?? null,
      actor: this.actor,
    });
    await this.database.query(statement);
    return formatApiKey(key);
  }

  /** Oldest first. */
  async list(): Promise<ApiKeyDescription[]> {
    return (await this.database.query<ApiKeyDescription>(selectApiKeys())).rows;
  }

  /** @returns undefined when there is no such key; `already`: it had been revoked before */
  async revoke(id: string): Promise<{ name: string; already: boolean } | undefined> {
    return (await this.database.query<{ name: string; already: boolean }>(revokeApiKey(id, this.actor))).rows[0];
  }

  /** Encrypts with the first of the keys what is encrypted with another of them, in one statement. May be repeated. */
  async rotate(keys: readonly [SealingKey, ...SealingKey[]]): Promise<Rotation> {
    const [current] = keys;
    const { rows } = await this.database.query<SealedRow>(selectSealedOtherwise(current.version));
    const opened = rows.map(({ id, revoked, ...before }) => ({
      id,
      revoked,
      before,
      hash: openHash(keys, id, before),
    }));
    const changes = opened.flatMap(({ id, before, hash }) =>
      hash === undefined ? [] : [{ id, before, after: sealHash(current, id, hash) }],
    );
    const { rows: replaced } = await this.database.query<{ id: string }>(replaceSealed(changes, this.actor));
    return {
      rotated: replaced.map(({ id }) => id),
      unknown: opened.filter(({ hash, revoked }) => hash === undefined && !revoked).map(({ id }) => id),
    };
  }
}

type SealedRow = SealedHash & { id: string; revoked: boolean };

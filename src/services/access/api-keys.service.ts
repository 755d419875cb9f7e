import type { DatabaseService } from '../database/database.service.js';
import type { Scope } from './access.js';
import { formatApiKey, generateApiKey, hashSecret } from './api-key.js';
import { insertApiKey, revokeApiKey, selectApiKeys } from './api-keys.sql.js';

export interface ApiKeyRequest {
  name: string;
  scopes: readonly Scope[];
  /** Written as in `BATCH_ALLOWED_TARGETS`; undefined: all that the service allows. */
  targets: readonly string[] | undefined;
  /** In whose name operations may be handed over; undefined: in any. */
  sources: readonly string[] | undefined;
  /** Undefined: never. */
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
}

/** Makes, lists and revokes the keys of callers. A key's secret is known to its owner only: what is stored is its hash. */
export class ApiKeysService {
  constructor(private readonly database: Pick<DatabaseService, 'query'>) {}

  /** @returns the key's text, which nobody can tell again */
  async create(
    { name, scopes, targets, sources, expiresInDays }: ApiKeyRequest,
    encryptionSecret: string,
  ): Promise<string> {
    const key = generateApiKey();
    const statement = insertApiKey({
      id: key.id,
      name,
      secretHash: hashSecret(encryptionSecret, key.secret),
      scopes,
      targets: targets ?? null,
      sources: sources ?? null,
      expiresInDays: expiresInDays ?? null,
    });
    await this.database.query(statement);
    return formatApiKey(key);
  }

  /** Oldest first. */
  async list(): Promise<ApiKeyDescription[]> {
    return (await this.database.query<ApiKeyDescription>(selectApiKeys())).rows;
  }

  /** @returns undefined when there is no such key; `already`: it was revoked before */
  async revoke(id: string): Promise<{ name: string; already: boolean } | undefined> {
    return (await this.database.query<{ name: string; already: boolean }>(revokeApiKey(id))).rows[0];
  }
}

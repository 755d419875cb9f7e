import { Not, type EntityManager } from 'typeorm';
import { ApiKeyEntity } from '../../entities/api-key.entity.js';
import { AuditEntity } from '../../entities/audit.entity.js';
import type { AuditAct } from '../../interfaces/audit.js';
import type { KeyScope } from '../../interfaces/access.js';
import { formatApiKey, generateApiKey } from './api-key.js';
import { hashOf, openHash, sealHash, type SealingKey } from './sealed-hash.js';

const DAY_MS = 86_400_000;

export interface ApiKeyRequest {
  name: string;
  scopes: readonly KeyScope[];
  /** In the form of `BATCH_ALLOWED_TARGETS`. Undefined: all targets that the service allows. */
  targets: readonly string[] | undefined;
  /** The sources for which operations may be sent. Undefined: any source. */
  sources: readonly string[] | undefined;
  /** Undefined: it never expires. */
  expiresInDays: number | undefined;
}

/** `secretVersion` identifies the service's secret with which the key is encrypted, see `sealingKey`. */
export interface ApiKeyDescription extends Omit<ApiKeyEntity, 'secretBox'> {
  state: 'active' | 'expired' | 'revoked';
}

export interface Rotation {
  /** Ids of the keys that this rotation has encrypted with the current secret. */
  rotated: string[];
  /** Ids of the keys that none of the secrets can decrypt, and that are not revoked. */
  unknown: string[];
}

export const OLDEST_FIRST = { createdAt: 'ASC', id: 'ASC' } as const;

/**
 * Creates, lists and revokes the API keys of callers, and encrypts them with a new secret. Only the owner of a key
 * knows its secret: the service stores an encrypted hash. Each change is stored together with its audit entry.
 */
export class ApiKeysService {
  /** @param actor the actor of all changes, see `callerName` */
  constructor(
    private readonly database: EntityManager,
    private readonly actor: string,
  ) {}

  /** @returns the key's text, which cannot be shown again */
  async create(
    { name, scopes, targets, sources, expiresInDays }: ApiKeyRequest,
    sealingKey: SealingKey,
  ): Promise<string> {
    const { id, secret } = generateApiKey();
    const described = {
      name,
      scopes: [...scopes],
      targets: targets ? [...targets] : null,
      sources: sources ? [...sources] : null,
      expiresAt: expiresInDays === undefined ? null : new Date(Date.now() + expiresInDays * DAY_MS),
    };
    await this.database.transaction(async (tx) => {
      await tx.insert(ApiKeyEntity, { id, ...described, ...sealHash(sealingKey, id, hashOf(secret)) });
      await this.record(tx, 'create_key', id, described);
    });
    return formatApiKey({ id, secret });
  }

  /** Oldest first. */
  async list(): Promise<ApiKeyDescription[]> {
    const keys = await this.database.find(ApiKeyEntity, { order: OLDEST_FIRST });
    return keys.map(({ secretBox: _, ...key }) => ({ ...key, state: stateOf(key) }));
  }

  /** @returns undefined when there is no such key; `already`: it was revoked before */
  revoke(id: string): Promise<{ name: string; already: boolean } | undefined> {
    return this.database.transaction(async (tx) => {
      const key = await tx.findOne(ApiKeyEntity, { where: { id }, lock: { mode: 'pessimistic_write' } });
      if (key === null) return undefined;
      const { name, revokedAt } = key;
      if (revokedAt === null) {
        await tx.update(ApiKeyEntity, id, { revokedAt: () => 'now()' });
        await this.record(tx, 'revoke_key', id, { name });
      }
      return { name, already: revokedAt !== null };
    });
  }

  /**
   * Encrypts the stored hashes with the first of the keys, in one transaction. It may be repeated. If two rotations run
   * at the same time, the second one waits and finds nothing to do.
   */
  rotate(keys: readonly [SealingKey, ...SealingKey[]]): Promise<Rotation> {
    const [current] = keys;
    return this.database.transaction(async (tx) => {
      const behind = await tx.find(ApiKeyEntity, {
        where: { secretVersion: Not(current.version) },
        order: OLDEST_FIRST,
        lock: { mode: 'pessimistic_write' },
      });
      const rotation: Rotation = { rotated: [], unknown: [] };
      for (const { id, revokedAt, ...sealed } of behind) {
        const hash = openHash(keys, id, sealed);
        if (hash !== undefined) {
          await tx.update(ApiKeyEntity, id, sealHash(current, id, hash));
          await this.record(tx, 'rotate_key', id, { secretVersion: current.version });
          rotation.rotated.push(id);
        } else if (revokedAt === null) rotation.unknown.push(id);
      }
      return rotation;
    });
  }

  private async record(tx: EntityManager, act: AuditAct, subject: string, details: object): Promise<void> {
    await tx.insert(AuditEntity, { act, actor: this.actor, subjectKind: 'key', subject, details });
  }
}

function stateOf({ revokedAt, expiresAt }: Pick<ApiKeyEntity, 'revokedAt' | 'expiresAt'>): ApiKeyDescription['state'] {
  if (revokedAt !== null) return 'revoked';
  return expiresAt !== null && expiresAt.getTime() <= Date.now() ? 'expired' : 'active';
}

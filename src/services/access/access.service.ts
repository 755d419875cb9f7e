import { timingSafeEqual } from 'node:crypto';
import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Any, In, IsNull, MoreThan, Not, type Repository } from 'typeorm';
import { ApiKeyEntity } from '../../entities/api-key.entity.js';
import { TargetList } from '../catalog/target-list.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { ServiceError } from '../errors/service-error.js';
import type { KeyScope } from '../../interfaces/access.js';
import { FULL_ACCESS, type Access } from './access.js';
import { parseApiKey, type ApiKey } from './api-key.js';
import { OLDEST_FIRST } from './api-keys.service.js';
import { CredentialCache, REVOCATION_DELAY_MS, type Credential } from './credential-cache.js';
import { RefusalsByAddress } from './refusals-by-address.js';
import { hashOf, openHash, sealingKey, type SealingKey } from './sealed-hash.js';
import { describeUnreadable } from './unreadable-keys.js';

const MAX_REMEMBERED = 10_000;
/** Stands for the stored hash of an unknown key. A real hash equals it with a probability of 2^-256. */
const NOBODY = Buffer.alloc(32);

/**
 * Decides by the API key what a caller may do. It promises that a key is valid only while it is stored, not revoked and
 * not expired (a revocation takes effect within `REVOCATION_DELAY_MS`). It also promises that neither the time nor the
 * text of an answer shows whether the key is unknown or its secret is wrong. Callers without a valid key are limited by
 * address. The settings may require no keys.
 */
@Injectable()
export class AccessService implements OnApplicationBootstrap {
  private readonly logger = new Logger(AccessService.name);
  /** Two keys are valid while the secret is being changed. */
  private readonly sealingKeys: readonly SealingKey[];
  private readonly credentials = new CredentialCache({
    load: (ids) => this.load(ids),
    ttlMs: REVOCATION_DELAY_MS,
    limit: MAX_REMEMBERED,
  });

  private readonly refusals: RefusalsByAddress;

  constructor(
    @InjectRepository(ApiKeyEntity) private readonly keys: Repository<ApiKeyEntity>,
    @Inject(SETTINGS) private readonly settings: Pick<Settings, 'access' | 'rabbitmq'>,
  ) {
    const { secret, previousSecret, keylessRateLimit: limit, rateLimitWindowMs: windowMs } = settings.access;
    this.refusals = new RefusalsByAddress({ limit, windowMs });
    this.sealingKeys = [secret, previousSecret].filter((given) => given !== undefined).map(sealingKey);
  }

  /** Warns at start of keys that the service cannot decrypt, before their owners are refused. */
  async onApplicationBootstrap(): Promise<void> {
    if (!this.settings.access.required) return;
    const versions = this.sealingKeys.map(({ version }) => version);
    const otherwiseValid = { secretVersion: Not(In(versions)), revokedAt: IsNull() };
    const unreadable = await this.keys.find({
      where: [
        { ...otherwiseValid, expiresAt: IsNull() },
        { ...otherwiseValid, expiresAt: MoreThan(new Date()) },
      ],
      order: OLDEST_FIRST,
    });
    if (unreadable.length > 0) this.logger.warn(describeUnreadable(unreadable));
  }

  /**
   * @param given the key as the caller sent it; undefined when it sent none
   * @param address the caller's address
   * @throws ServiceError API_KEY_REQUIRED, INVALID_API_KEY, or RATE_LIMITED when the address has had too many of these;
   *   any error of the database
   */
  async identify(given: unknown, address: string): Promise<Access> {
    try {
      return await this.authenticate(given);
    } catch (error) {
      // The key is checked even beyond the limit, because behind a proxy, callers with and without a valid key have the
      // same address.
      const waitMs = error instanceof ServiceError ? this.refusals.count(address) : undefined;
      if (waitMs === undefined) throw error;
      throw addressLimited(address, waitMs, this.settings.access);
    }
  }

  /** Like `identify`, without counting refusals. */
  async authenticate(given: unknown): Promise<Access> {
    if (!this.settings.access.required) return FULL_ACCESS;
    // The settings do not allow this, because no API key could be checked.
    if (this.sealingKeys.length === 0)
      throw new Error('API keys are required, but API_KEY_ENCRYPTION_SECRET is not set');
    if (given === undefined) {
      throw new ServiceError(
        'API_KEY_REQUIRED',
        'An API key is required: send it in the header Authorization (Bearer) or X-API-Key over REST, in the field apiKey over TCP',
      );
    }
    const key = typeof given === 'string' ? parseApiKey(given) : undefined;
    if (key === undefined) throw invalid('The API key must have the form bsk_<id>_<secret>');
    return this.verify(key);
  }

  /**
   * The access of a sender over the broker. A sender that may write to the queue may do everything.
   *
   * @param user the broker's user, which the broker has checked; undefined when the message does not name it
   * @throws ServiceError USER_ID_REQUIRED
   */
  ofBrokerUser(user: string | undefined): Access {
    if (user !== undefined) return { ...FULL_ACCESS, user };
    if (this.settings.rabbitmq?.requireUserId !== true) return FULL_ACCESS;
    throw new ServiceError(
      'USER_ID_REQUIRED',
      'The message has no user_id, but BATCH_RMQ_REQUIRE_USER_ID=true requires it: set the property user_id to the user of your connection',
    );
  }

  private async verify(key: ApiKey): Promise<Access> {
    const credential = await this.credentials.find(key.id);
    const hash = hashOf(key.secret);
    const matches = timingSafeEqual(hash, credential?.secretHash ?? NOBODY);
    if (credential === undefined || !matches) throw invalid('The API key is not valid');
    if (credential.revokedAt !== null) throw invalid(`The API key ${key.id} was revoked`);
    if (credential.expiresAt !== null && credential.expiresAt.getTime() <= Date.now()) {
      throw invalid(`The API key ${key.id} has expired`);
    }
    return credential.access;
  }

  private async load(ids: string[]): Promise<Credential[]> {
    const keys = await this.keys.findBy({ id: Any(ids) });
    return keys.map(({ id, expiresAt, revokedAt, scopes, targets, sources, ...sealed }) => ({
      ...{ id, expiresAt, revokedAt },
      // If the hash cannot be decrypted, no secret matches.
      secretHash: openHash(this.sealingKeys, id, sealed) ?? NOBODY,
      access: {
        keyId: id,
        scopes: scopes as KeyScope[],
        targets: targets === null ? undefined : TargetList.ofKey(targets),
        sources: sources ?? undefined,
      },
    }));
  }
}

function addressLimited(address: string, waitMs: number, access: Settings['access']): ServiceError {
  const { keylessRateLimit: limit, rateLimitWindowMs: windowMs } = access;
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new ServiceError(
    'RATE_LIMITED',
    `${address} has made ${limit} requests without a valid API key within ${windowMs} ms; BATCH_KEYLESS_RATE_LIMIT allows ` +
      `no more. Send a valid key, or send the request again in ${seconds} s`,
    { limit, windowMs, retryAfterMs: seconds * 1000 },
  );
}

function invalid(message: string): ServiceError {
  return new ServiceError('INVALID_API_KEY', message);
}

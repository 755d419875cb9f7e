import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';
import { backOffMs, type BackOff } from '../../interfaces/back-off.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { redactUrl } from '../../interfaces/redact-secrets.js';
import { redisTls } from '../config/client-tls.js';
import { ServiceError } from '../errors/service-error.js';
import { ignoreLateErrors } from '../tls/ignore-late-errors.js';
import { redisReason } from '../tls/tls-refusal.js';

/** The rate limit of a key after a request. */
export interface RateLimitState {
  limit: number;
  remaining: number;
  resetSeconds: number;
}

/** How long a request waits for Redis before the process counts by itself. */
const REDIS_ANSWER_MS = 200;
/** A connection that is silent for this time is closed, so that no more requests wait for it. */
const REDIS_SILENCE_MS = 1000;
const RECONNECT: BackOff = { initialMs: 50, maxMs: 2000, jitter: 0.5 };

/**
 * Limits the requests of each API key, over all endpoints and transports. They are counted in Redis for all processes
 * together, or without Redis in each process. When Redis fails, each process counts by itself, so no request is refused
 * because of it, or delayed for long.
 */
@Injectable()
export class RateLimitService implements OnApplicationShutdown {
  private readonly logger = new Logger(RateLimitService.name);
  private readonly limiter: RateLimiterAbstract;
  private redis: Redis | undefined;
  private outage = false;

  constructor(@Inject(SETTINGS) private readonly settings: Pick<Settings, 'access' | 'redis' | 'database'>) {
    const { required, rateLimit, rateLimitWindowMs } = settings.access;
    const limits = { points: rateLimit, duration: Math.ceil(rateLimitWindowMs / 1000) };
    const memory = new RateLimiterMemory(limits);
    const { redis } = settings;
    // Without a limit nothing is counted, so nothing has to be shared.
    if (redis === undefined || !required || rateLimit === 0) {
      this.limiter = memory;
      return;
    }
    this.redis = this.connect(redis);
    this.limiter = new RateLimiterRedis({
      ...limits,
      storeClient: this.redis,
      keyPrefix: `${settings.database.name}:batch:requests`,
      rejectIfRedisNotReady: true,
      insuranceLimiter: memory,
    });
  }

  /**
   * Counts one request of a key.
   *
   * @returns undefined when there is no limit or no key
   * @throws ServiceError RATE_LIMITED; nothing was begun then
   */
  async count(keyId: string | undefined): Promise<RateLimitState | undefined> {
    const { rateLimit: limit, rateLimitWindowMs: windowMs } = this.settings.access;
    if (limit === 0 || keyId === undefined) return undefined;
    try {
      const counted = await this.limiter.consume(keyId);
      return { limit, remaining: counted.remainingPoints, resetSeconds: secondsLeft(counted) };
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      const seconds = secondsLeft(refused);
      throw new ServiceError(
        'RATE_LIMITED',
        `The API key has made ${limit} requests within ${windowMs} ms; BATCH_RATE_LIMIT allows no more. ` +
          `Send the request again in ${seconds} s`,
        { limit, windowMs, retryAfterMs: seconds * 1000 },
      );
    }
  }

  onApplicationShutdown(): void {
    this.redis?.disconnect();
    this.redis = undefined;
  }

  private connect(redis: NonNullable<Settings['redis']>): Redis {
    const client = new Redis(redis.url, {
      ...redisTls(redis),
      connectionName: `batch-service:${this.settings.database.name}:requests`,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: REDIS_SILENCE_MS,
      commandTimeout: REDIS_ANSWER_MS,
      socketTimeout: REDIS_SILENCE_MS,
      keepAlive: 10_000,
      retryStrategy: (attempt) => backOffMs(RECONNECT, attempt),
    });
    client.on('error', (error: Error) => this.reportOutage(error));
    ignoreLateErrors(client);
    client.on('close', () => {
      if (this.redis) this.reportOutage(new Error('the connection was lost'));
    });
    client.on('ready', () => this.reportRecovery());
    return client;
  }

  private reportOutage(error: Error): void {
    if (this.outage) return;
    this.outage = true;
    const { url = '' } = this.settings.redis ?? {};
    this.logger.warn(
      `Redis at ${redactUrl(url)} is out of reach (${redisReason(error, url)}). ` +
        'Until it is back, each process limits the requests of an API key by itself',
    );
  }

  private reportRecovery(): void {
    if (!this.outage) return;
    this.outage = false;
    this.logger.log('Redis is back: the requests of an API key are limited for all processes together again');
  }
}

/** Whole seconds until the window ends. */
function secondsLeft({ msBeforeNext }: RateLimiterRes): number {
  return Math.max(1, Math.ceil(msBeforeNext / 1000));
}

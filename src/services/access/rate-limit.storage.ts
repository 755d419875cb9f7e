import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';
import { backOffMs, type BackOff } from '../../interfaces/back-off.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { redactUrl } from '../observability/redact-url.js';
import { redisTls } from '../config/client-tls.js';
import { ignoreLateErrors } from '../tls/ignore-late-errors.js';
import { redisReason } from '../tls/tls-refusal.js';

type CountedRequest = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/** A request waits this long for Redis. Then the process counts by itself. */
const REDIS_ANSWER_MS = 200;
/** A connection that is silent for this time is given up. From then on no request waits for it. */
const REDIS_SILENCE_MS = 1000;
const RECONNECT: BackOff = { initialMs: 50, maxMs: 2000, jitter: 0.5 };

/**
 * Counts the requests of each API key: in Redis for all processes together, or without Redis in this process. It
 * promises that a failing Redis neither refuses nor delays a request: meanwhile each process counts by itself. The
 * guard decides what the counts mean.
 */
@Injectable()
export class RateLimitStorage implements ThrottlerStorage, OnApplicationShutdown {
  private readonly logger = new Logger(RateLimitStorage.name);
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

  /** Counts one request. Limit and window come from the settings. Times are whole seconds. */
  async increment(key: string): Promise<CountedRequest> {
    const { counted, isBlocked } = await this.consume(key);
    const seconds = Math.max(1, Math.ceil(counted.msBeforeNext / 1000));
    return {
      totalHits: counted.consumedPoints,
      timeToExpire: seconds,
      isBlocked,
      timeToBlockExpire: isBlocked ? seconds : 0,
    };
  }

  onApplicationShutdown(): void {
    this.redis?.disconnect();
    this.redis = undefined;
  }

  private async consume(key: string): Promise<{ counted: RateLimiterRes; isBlocked: boolean }> {
    try {
      return { counted: await this.limiter.consume(key), isBlocked: false };
    } catch (refused) {
      if (refused instanceof RateLimiterRes) return { counted: refused, isBlocked: true };
      throw refused;
    }
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

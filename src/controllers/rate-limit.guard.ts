import { Injectable, type ExecutionContext } from '@nestjs/common';
import { ThrottlerGuard, type ThrottlerLimitDetail, type ThrottlerModuleOptions } from '@nestjs/throttler';
import type { RateLimitStorage } from '../services/access/rate-limit.storage.js';
import type { Settings } from '../services/config/settings.js';
import { ServiceError } from '../services/errors/service-error.js';
import { carrierOf, grantedAccess } from './caller-access.js';

/** One limit for all requests of a key, over all endpoints and transports. */
export function rateLimits({ access }: Pick<Settings, 'access'>, storage: RateLimitStorage): ThrottlerModuleOptions {
  return {
    throttlers: [{ limit: access.rateLimit, ttl: access.rateLimitWindowMs }],
    storage,
    skipIf: () => access.rateLimit === 0,
    getTracker: (_request, context) => keyIdOf(context) ?? '',
    generateKey: (_context, tracker) => tracker,
  };
}

/**
 * Refuses the messages of an API key beyond its limit. REST requests are counted before their bodies are read, see
 * `limitRequests`. It comes after `AccessGuard`. Callers without a key are not limited here.
 */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  /**
   * Checked before each message: only messages of callers with a key go through the throttlers, which look up options
   * that no handler declares.
   */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    return keyIdOf(context) === undefined || super.canActivate(context);
  }

  /** A message has no headers that could say how much is left. */
  protected override getRequestResponse(): { req: Record<string, unknown>; res: Record<string, unknown> } {
    return { req: {}, res: {} };
  }

  protected override throwThrottlingException(
    _context: ExecutionContext,
    { limit, ttl, timeToBlockExpire }: ThrottlerLimitDetail,
  ): Promise<void> {
    throw rateLimited({ limit, windowMs: ttl, retryAfterSeconds: timeToBlockExpire });
  }
}

/** One key sent too many requests. Nothing was begun. */
export function rateLimited(exceeded: { limit: number; windowMs: number; retryAfterSeconds: number }): ServiceError {
  const { limit, windowMs, retryAfterSeconds } = exceeded;
  return new ServiceError(
    'RATE_LIMITED',
    `The API key has made ${limit} requests within ${windowMs} ms; BATCH_RATE_LIMIT allows no more. ` +
      `Send the request again in ${retryAfterSeconds} s`,
    { limit, windowMs, retryAfterMs: retryAfterSeconds * 1000 },
  );
}

/** Undefined if the endpoint is open to all, or no keys are required. */
function keyIdOf(context: ExecutionContext): string | undefined {
  return grantedAccess(carrierOf(context))?.keyId;
}

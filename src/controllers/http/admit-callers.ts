import { isIP } from 'node:net';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { isLoopback } from '../../interfaces/loopback.js';
import type { AccessService } from '../../services/access/access.service.js';
import type { RateLimitService } from '../../services/access/rate-limit.service.js';
import type { InFlightBudget } from '../../services/backpressure/in-flight-budget.js';
import type { Settings } from '../../services/config/settings.js';
import { cutText } from '../../services/errors/cut-text.js';
import { ServiceError } from '../../services/errors/service-error.js';
import type { HealthService } from '../../services/health/health.service.js';
import { REQUEST_ID_HEADER, requestIdFrom, runInRequest } from '../../services/observability/request-context.js';
import { grantAccess, grantedAccess } from '../caller-access.js';

// What a request passes before any of its body is read, in this order. Express answers what they throw.

const SHOWN_HOST = 100;
const BEARER = /^Bearer +(\S+) *$/i;

/** Takes or creates the request's id, returns it in the answer, and adds it to the log lines. */
export function nameRequest(request: Request, response: Response, next: NextFunction): void {
  const requestId = requestIdFrom(request.headers[REQUEST_ID_HEADER]);
  response.setHeader(REQUEST_ID_HEADER, requestId);
  runInRequest(requestId, next);
}

/**
 * Protects a service that asks for no keys because only this machine reaches it. A web page in a browser of this
 * machine reaches it too, by DNS rebinding: the name of the page gets the address 127.0.0.1 after the page was loaded.
 * The browser then lets the page read and write. Its requests still carry the name of the page in `Host`.
 */
export function refuseOtherHosts({ access, http }: Pick<Settings, 'access' | 'http'>): RequestHandler {
  const guarded = !access.required && !access.allowOpen && isLoopback(http.host);
  return ({ headers: { host } }, _response, next) => {
    // Every browser names a host.
    if (!guarded || host === undefined || !isDomainName(withoutPort(host))) return next();
    throw new ServiceError(
      'HOST_NOT_ALLOWED',
      `The service asks for no keys, so it does not answer under the domain name ${cutText(host, SHOWN_HOST)}, but under localhost and addresses; ` +
        'set BATCH_REQUIRE_API_KEY=true, or BATCH_ALLOW_OPEN_ACCESS=true where a proxy protects it',
    );
  };
}

/** These change nothing. */
const READING_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];
const SITES_OF_OTHERS: readonly unknown[] = ['cross-site', 'same-site'];

/**
 * Refuses what a web page of another origin sends, unless it only reads. A browser asks for no permission before it sends a POST without a
 * body, so a page that somebody of this network has open could resume a lane. Programs send neither header.
 */
export function refuseOtherOrigins(request: Request, _response: Response, next: NextFunction): void {
  const sign = READING_METHODS.includes(request.method) ? undefined : signOfOtherOrigin(request);
  if (sign === undefined) return next();
  throw new ServiceError(
    'ORIGIN_NOT_ALLOWED',
    `A web page of another origin sent this request (${cutText(sign, SHOWN_HOST)}); such a page can change nothing, so nothing was done. ` +
      'Send it from a page of this service, or from a program. Is it a page of this service behind a proxy? ' +
      'Then the proxy has to pass on the header Host',
  );
}

/** Browsers send `Sec-Fetch-Site` over HTTPS and to this machine. Old ones, and those over plain HTTP, send `Origin` only. */
function signOfOtherOrigin({ headers, host }: Request): string | undefined {
  const { 'sec-fetch-site': site, origin } = headers;
  if (site !== undefined) return SITES_OF_OTHERS.includes(site) ? `Sec-Fetch-Site: ${String(site)}` : undefined;
  if (origin === undefined || isSameHost(origin, host)) return undefined;
  return `Origin: ${origin}`;
}

/** A page of a file or of a frame without rights has the origin `null`. */
function isSameHost(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { protocol, host: ofOrigin } = new URL(origin);
  // A proxy may name the port that the scheme has anyway.
  const asked = `${protocol}//${host}`;
  return URL.canParse(asked) && new URL(asked).host === ofOrigin;
}

/** Only such a name can belong to a web page: public DNS has no names without a dot, and no `localhost`. */
function isDomainName(host: string): boolean {
  const name = host.replace(/\.$/, '');
  return name.includes('.') && isIP(name) === 0 && !name.startsWith('[') && !name.toLowerCase().endsWith('.localhost');
}

function withoutPort(host: string): string {
  return host.replace(/:\d*$/, '');
}

/** Refuses a caller without a valid key, if keys are required. Closes the connection of a caller that keeps sending. */
export function identifyCallers(access: AccessService): RequestHandler {
  return async (request, response, next) => {
    try {
      grantAccess(request, await access.identify(apiKeyOf(request), request.ip ?? ''));
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'RATE_LIMITED') response.setHeader('connection', 'close');
      throw error;
    }
    next();
  };
}

/** `Authorization: Bearer <key>`, or `X-API-Key: <key>`. */
export function apiKeyOf({ headers }: Request): unknown {
  const [, bearer] = BEARER.exec(headers.authorization ?? '') ?? [];
  return bearer ?? headers['x-api-key'];
}

/** Refuses new requests while the process stops. Requests that were begun are answered. */
export function refuseWhileStopping(health: HealthService): RequestHandler {
  return (_request, response, next) => {
    if (!health.stopping) return next();
    // The next request uses a new connection, and so reaches another process.
    response.setHeader('connection', 'close');
    throw new ServiceError('SHUTTING_DOWN', 'The service is stopping; nothing was done, send the request again');
  };
}

/** Counts the requests of a key, also malformed ones and unknown paths. Refuses those beyond its limit. */
export function limitRequests(limits: RateLimitService): RequestHandler {
  return async (request, response, next) => {
    const state = await limits.count(grantedAccess(request)?.keyId);
    if (state !== undefined) {
      response.setHeader('X-RateLimit-Limit', state.limit);
      response.setHeader('X-RateLimit-Remaining', state.remaining);
      response.setHeader('X-RateLimit-Reset', state.resetSeconds);
    }
    next();
  };
}

/**
 * Refuses a body if there is no room for it in the process, or in the share of its caller's key. The room is free again
 * when the response has ended, complete or not.
 */
export function boundInFlight(budget: InFlightBudget, maxKb: number): RequestHandler {
  return (request, response, next) => {
    const bytes = bodyBytes(request, maxKb * 1024);
    if (bytes > 0) response.once('close', budget.take(bytes, grantedAccess(request)?.keyId));
    next();
  };
}

/** An upper limit: the size of a body that is compressed, or comes in pieces, is known only after reading it. */
function bodyBytes({ headers }: Request, limit: number): number {
  const { 'transfer-encoding': pieces, 'content-encoding': encoding = 'identity' } = headers;
  if (pieces !== undefined) return limit;
  const length = Number(headers['content-length'] ?? 0);
  if (length === 0) return 0;
  return encoding === 'identity' ? Math.min(length, limit) : limit;
}

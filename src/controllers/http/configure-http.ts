import type { IncomingMessage } from 'node:http';
import { Logger, UnsupportedMediaTypeException } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import helmet from 'helmet';
import { quoteForMessage } from '../../services/errors/quote-for-message.js';
import { AccessService } from '../../services/access/access.service.js';
import { RateLimitService } from '../../services/access/rate-limit.service.js';
import { InFlightBudget } from '../../services/backpressure/in-flight-budget.js';
import type { Settings } from '../../services/config/settings.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { HealthService } from '../../services/health/health.service.js';
import { MetricsService } from '../../services/observability/metrics.service.js';
import { SparseLog } from '../../services/observability/sparse-log.js';
import { inSlices } from '../../services/steps/in-slices.js';
import { stringifyJson } from '../../services/values/exact-json.js';
import { grantedAccess } from '../caller-access.js';
import { readBody } from '../read-body.js';
import {
  boundInFlight,
  identifyCallers,
  limitRequests,
  nameRequest,
  refuseOtherHosts,
  refuseOtherOrigins,
  refuseWhileStopping,
} from './admit-callers.js';
import { answerUnreadable } from './answer-unreadable.js';
import { API_PREFIX } from './api-prefix.js';
import { ProblemFilter } from './filters/problem.filter.js';
import { limitConnections, type ConnectionLimits } from './limit-connections.js';
import { traceRequest } from './trace-request.js';

/** More connections are closed at once: each takes memory and a file descriptor before it has shown a key. */
export const MAX_CONNECTIONS = 4000;
/** So that one machine cannot keep the others out. */
export const MAX_CONNECTIONS_PER_ADDRESS = 1000;

const logger = new Logger('HTTP');

/**
 * Larger bodies are read only where operations are sent, because there they are checked in steps. Everywhere else one
 * million fields, or elements, would block the event loop for a second.
 */
const SMALL_BODY_BYTES = 256 * 1024;
const TAKES_OPERATIONS = new RegExp(`^/${API_PREFIX}/operations(/bulk|/plan)?/?$`, 'i');

const JSON_TYPES = ['application/json', 'application/*+json'];
/** Paths for callers with a key, where keys are required. For all other paths bodies are not read. */
const FOR_CALLERS = [`/${API_PREFIX}`, '/metrics'];

/**
 * Sets up the REST side before the application is initialised: request ids, security headers, identity and rate of
 * callers, bodies and their limits, errors. The order matters: a caller that is refused costs no memory.
 */
export function configureHttp(
  app: NestExpressApplication,
  settings: Pick<Settings, 'intake' | 'access' | 'http'>,
): void {
  app.disable('x-powered-by');
  // Answers change all the time; hashing one of a megabyte takes longer than sending it.
  app.disable('etag');
  if (settings.http.trustProxy !== undefined) app.set('trust proxy', settings.http.trustProxy);
  app.use(nameRequest);
  app.use(`/${API_PREFIX}`, traceRequest);
  app.use(securityHeaders());
  app.use(FOR_CALLERS, refuseOtherHosts(settings));
  app.use(FOR_CALLERS, refuseOtherOrigins);
  app.use(FOR_CALLERS, identifyCallers(app.get(AccessService)));
  app.use(`/${API_PREFIX}`, refuseWhileStopping(app.get(HealthService)));
  app.use(FOR_CALLERS, limitRequests(app.get(RateLimitService)));
  app.use(`/${API_PREFIX}`, refuseOtherContent);
  app.use(FOR_CALLERS, boundInFlight(app.get(InFlightBudget), settings.intake.maxBodyKb));
  app.useBodyParser('raw', { limit: settings.intake.maxBodyKb * 1024, type: isReadable });
  app.use(readJsonBody);
  app.use(`/${API_PREFIX}`, keepDigits);
  const metrics = app.get(MetricsService);
  app.useGlobalFilters(new ProblemFilter(metrics));
  answerUnreadable(app.getHttpServer(), metrics);
  const refusals = new SparseLog(logger);
  limitConnections(app.getHttpServer(), connectionLimits(settings), (why) => {
    refusals.log({ message: `A connection was refused: ${why}` });
    metrics.recordRequestRefused('rest', 'OVERLOADED');
  });
}

/** If a proxy is in front, all connections come from one address. */
function connectionLimits({ http }: Pick<Settings, 'http'>): ConnectionLimits {
  return {
    total: MAX_CONNECTIONS,
    perAddress: http.trustProxy === undefined ? MAX_CONNECTIONS_PER_ADDRESS : Infinity,
  };
}

function securityHeaders(): ReturnType<typeof helmet> {
  return helmet({
    // The default breaks the documentation where the service is reached over plain HTTP.
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
  });
}

/** Without this, a body of another type would be ignored, and the request refused as empty. Only POST takes bodies. */
function refuseOtherContent(request: Request, _response: Response, next: NextFunction): void {
  if (request.method !== 'POST') return next();
  // `null` and a length of 0 mean that there is no body.
  if (request.is(JSON_TYPES) !== false || request.headers['content-length'] === '0') return next();
  const given = request.headers['content-type'] ?? 'none';
  throw new UnsupportedMediaTypeException(
    `Bodies are JSON; send the header Content-Type: application/json (it was ${given})`,
  );
}

/** The parser is in front of every path, but may read only bodies of identified callers within their budget. */
function isReadable(message: IncomingMessage): boolean {
  const request = message as Request;
  return grantedAccess(request) !== undefined && Boolean(request.is(JSON_TYPES));
}

/** Reads bodies as JSON. Intake refuses a body that is not an object, with the same text as over RPC. */
function readJsonBody(request: Request, _response: Response, next: NextFunction): void {
  const body: unknown = request.body;
  if (!Buffer.isBuffer(body)) return next();
  const charset = charsetOf(request);
  if (charset !== 'utf-8') return next(otherCharset(charset));
  const done = (value: unknown): void => {
    request.body = value;
    next();
  };
  if (body.length === 0) return done({});
  if (body.length > SMALL_BODY_BYTES && !TAKES_OPERATIONS.test(request.path)) return next(tooLarge());
  inSlices(readBody(withoutMark(body), 'body')).then(done, next);
}

function tooLarge(): ServiceError {
  const limit = `${SMALL_BODY_BYTES / 1024} KiB`;
  return new ServiceError(
    'PAYLOAD_TOO_LARGE',
    `The body is larger than ${limit}; only bodies with operations may be larger`,
  );
}

function otherCharset(charset: string): Error {
  const message = `Bodies are UTF-8, not ${quoteForMessage(charset)}`;
  return charset.startsWith('utf-')
    ? new ServiceError('MALFORMED_MESSAGE', message)
    : new UnsupportedMediaTypeException(message);
}

function charsetOf({ headers }: Request): string {
  const [, charset = 'utf-8'] = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(headers['content-type'] ?? '') ?? [];
  return charset.toLowerCase();
}

/** Removes the byte order mark, which some programs put before the text, and which JSON does not allow. */
const withoutMark = (body: Buffer): Buffer =>
  body.subarray(0, MARK.length).equals(MARK) ? body.subarray(MARK.length) : body;
const MARK = Buffer.from('\uFEFF');

/** Numbers are answered with all the digits that callers sent. */
function keepDigits(_request: Request, response: Response, next: NextFunction): void {
  response.json = (answer: unknown) => response.type('application/json').send(stringifyJson(answer));
  next();
}

import { isUtf8 } from 'node:buffer';
import { UnsupportedMediaTypeException } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { json, NextFunction, Request, Response } from 'express';
import helmet from 'helmet';
import type { Settings } from '../../services/config/settings.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { MetricsService } from '../../services/observability/metrics.service.js';
import { requestIdMiddleware } from '../../services/observability/request-id.middleware.js';
import { MAX_NESTING, nestsDeeperThan } from '../nesting-depth.js';
import { API_PREFIX } from './api-prefix.js';
import { ProblemFilter } from './filters/problem.filter.js';

/** NestJS' own type leaves out the check of the bytes, which Express has. */
type BodyParserOptions = NonNullable<Parameters<typeof json>[0]>;

const JSON_TYPES = ['application/json', 'application/*+json'];

/**
 * Sets up the REST side before the application is initialised: request ids, security headers, bodies and their limits, errors.
 */
export function configureHttp(app: NestExpressApplication, settings: Pick<Settings, 'intake'>): void {
  app.disable('x-powered-by');
  app.use(requestIdMiddleware);
  app.use(securityHeaders());
  app.use(`/${API_PREFIX}`, refuseOtherContent);
  app.useBodyParser('json', jsonBodies(settings.intake.maxBodyKb));
  app.useGlobalFilters(new ProblemFilter(app.get(MetricsService)));
}

function securityHeaders(): ReturnType<typeof helmet> {
  return helmet({
    // Set by default, it breaks the documentation where the service is reached by plain HTTP.
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
  });
}

/** Without it a body of another type would be ignored, and the request refused for being empty. Only POST takes bodies. */
function refuseOtherContent(request: Request, _response: Response, next: NextFunction): void {
  if (request.method !== 'POST') return next();
  // `null` and a length of 0: there is no body.
  if (request.is(JSON_TYPES) !== false || request.headers['content-length'] === '0') return next();
  const given = request.headers['content-type'] ?? 'none';
  next(
    new UnsupportedMediaTypeException(
      `Bodies are JSON; send the header Content-Type: application/json (it was ${given})`,
    ),
  );
}

function jsonBodies(maxKb: number): BodyParserOptions {
  return {
    limit: maxKb * 1024,
    type: JSON_TYPES,
    // What is no object is refused by the intake, with the same words as over RPC.
    strict: false,
    verify: (_request, _response, body, charset) => {
      refuseOtherEncoding(body, charset);
      refuseDeepNesting(body);
    },
  };
}

/** The parser would put U+FFFD in the place of what is no UTF-8, and take UTF-16, whose bytes cannot be checked for depth. */
function refuseOtherEncoding(body: Buffer, charset: string): void {
  if (charset !== 'utf-8') throw new ServiceError('MALFORMED_MESSAGE', `Bodies are UTF-8, not ${charset}`);
  if (!isUtf8(body)) throw new ServiceError('MALFORMED_MESSAGE', 'The body is not valid UTF-8');
}

function refuseDeepNesting(body: Buffer): void {
  if (!nestsDeeperThan(MAX_NESTING, body)) return;
  throw new ServiceError('MALFORMED_MESSAGE', `The body nests deeper than ${MAX_NESTING} levels`);
}

import { Catch, Logger, NotFoundException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { ErrorCode } from '../../../interfaces/error.js';
import { currentRequestId, REQUEST_ID_HEADER } from '../../../services/observability/request-context.js';
import type { MetricsService } from '../../../services/observability/metrics.service.js';
import { SparseLog } from '../../../services/observability/sparse-log.js';
import { ServiceError } from '../../../services/errors/service-error.js';
import { grantedAccess } from '../../caller-access.js';
import { toProblem, type Problem } from './to-problem.js';

const RETRY_AFTER_SECONDS = 2;
/** For these codes the service works as it should. */
const NO_FAULT: readonly ErrorCode[] = ['QUEUE_FULL', 'OVERLOADED', 'LANE_BUSY', 'SHUTTING_DOWN'];

/**
 * Answers every error of the REST side as `application/problem+json`, counts it, and writes a log line with its request
 * id. Requests of unknown callers do not get a line each.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Requests');
  private readonly strangers = new SparseLog(this.logger);

  constructor(private readonly metrics: MetricsService) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    const allowed = error instanceof NotFoundException ? allowedMethods(request) : [];
    const problem = toProblem(allowed.length === 0 ? error : methodNotAllowed(request, allowed));
    const instance = request.originalUrl.split('?')[0] ?? '';
    // The parser of the body fails outside the request's own context.
    const requestId = currentRequestId() ?? response.getHeader(REQUEST_ID_HEADER)?.toString();
    this.log(problem, { method: request.method, path: instance, requestId }, grantedAccess(request) !== undefined);
    this.metrics.recordRequestRefused('rest', problem.code);
    // An answer that was half sent cannot be taken back. The caller sees the connection end.
    if (response.headersSent) return void response.destroy();
    const retryAfter = retryAfterSeconds(problem);
    if (retryAfter !== undefined) response.setHeader('Retry-After', retryAfter);
    if (allowed.length > 0) response.setHeader('Allow', allowed.join(', '));
    if (problem.status === 401) response.setHeader('WWW-Authenticate', 'Bearer');
    // As bytes, so that Express does not change the content type.
    response
      .status(problem.status)
      .type('application/problem+json')
      .send(Buffer.from(JSON.stringify({ ...problem, instance, requestId })));
  }

  /** The text of a refusal may quote the caller's values, so the log has only the code. */
  private log(
    { status, code }: Problem,
    request: { method: string; path: string; requestId?: string },
    known: boolean,
  ): void {
    const line = { message: `${request.method} ${request.path}: ${status} ${code}`, status, code, ...request };
    const fault = status >= 500 && !NO_FAULT.includes(code);
    if (code === 'INTERNAL_ERROR' || (fault && known)) this.logger.error(line);
    else if (!known) this.strangers.log(line);
    else this.logger.log(line);
  }
}

/** A path that Express knows, with its methods in lower case. */
interface Layer {
  route?: { methods: Readonly<Record<string, boolean>> };
  match(path: string): boolean;
}

/** The methods that the application supports on the path of this request. Empty: there is no such path. */
function allowedMethods({ app, path }: Request): string[] {
  const { stack } = app.router as unknown as { stack: readonly Layer[] };
  const taken = stack.flatMap((layer) => (layer.route !== undefined && layer.match(path) ? [layer.route.methods] : []));
  const methods = new Set(taken.flatMap((each) => Object.keys(each)).map((method) => method.toUpperCase()));
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].sort();
}

function methodNotAllowed({ method, path }: Request, allowed: string[]): ServiceError {
  return new ServiceError('METHOD_NOT_ALLOWED', `${path} does not support ${method}, only ${allowed.join(', ')}`, {
    allowed,
  });
}

/** The value of `details.retryAfterMs`, if it is known. */
function retryAfterSeconds({ status, details }: Problem): number | undefined {
  const asked = details?.retryAfterMs;
  if (typeof asked === 'number') return Math.ceil(asked / 1000);
  return status === 503 ? RETRY_AFTER_SECONDS : undefined;
}

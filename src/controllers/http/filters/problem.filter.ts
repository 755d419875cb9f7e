import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { currentRequestId, REQUEST_ID_HEADER } from '../../../services/observability/request-context.js';
import type { MetricsService } from '../../../services/observability/metrics.service.js';
import { toProblem, type Problem } from './to-problem.js';

const RETRY_AFTER_SECONDS = 2;

/** Answers every error of the REST side as `application/problem+json`, counts it, and leaves a line in the log that has its request id. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Requests');

  constructor(private readonly metrics: MetricsService) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    const problem = toProblem(error);
    const instance = request.originalUrl.split('?')[0] ?? '';
    // The parser of the body fails outside the request's own context.
    const requestId = currentRequestId() ?? response.getHeader(REQUEST_ID_HEADER)?.toString();
    this.log(problem, { method: request.method, path: instance, requestId });
    this.metrics.recordRequestRefused('rest', problem.code);
    // Half an answer cannot be taken back; the caller sees the connection end.
    if (response.headersSent) return void response.destroy();
    if (problem.status === 503) response.setHeader('Retry-After', RETRY_AFTER_SECONDS);
    // As bytes, so that Express leaves the content type as it is.
    response
      .status(problem.status)
      .type('application/problem+json')
      .send(Buffer.from(JSON.stringify({ ...problem, instance, requestId })));
  }

  /** What a refusal says may quote the caller's values, so the log has the code only. */
  private log({ status, code }: Problem, request: { method: string; path: string; requestId?: string }): void {
    const line = { message: `${request.method} ${request.path}: ${status} ${code}`, status, code, ...request };
    if (status >= 500) this.logger.error(line);
    else this.logger.log(line);
  }
}

import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { currentRequestId } from '../../../services/observability/request-context.js';
import { toProblem } from './to-problem.js';

const RETRY_AFTER_SECONDS = 2;

/** Answers every error of the REST side as `application/problem+json`. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    const problem = toProblem(error);
    // Half an answer cannot be taken back; the caller sees the connection end.
    if (response.headersSent) return void response.destroy();
    if (problem.status === 503) response.setHeader('Retry-After', RETRY_AFTER_SECONDS);
    const body = { ...problem, instance: request.originalUrl.split('?')[0], requestId: currentRequestId() };
    // As bytes, so that Express leaves the content type as it is.
    response
      .status(problem.status)
      .type('application/problem+json')
      .send(Buffer.from(JSON.stringify(body)));
  }
}

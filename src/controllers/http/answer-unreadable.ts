import { STATUS_CODES, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ServiceError } from '../../services/errors/service-error.js';
import type { MetricsService } from '../../services/observability/metrics.service.js';
import { toProblem } from './filters/to-problem.js';

/** How long a caller may take, in milliseconds. Node checks every 30 s. */
export interface HttpPatience {
  /** Until the headers are complete, from the start of the connection. A silent connection is closed too. */
  headersMs: number;
  /** Until the request is complete. */
  requestMs: number;
}

/** Node allows a minute for headers and five for a request. A few slow callers could use up the connections. */
const PATIENCE: HttpPatience = { headersMs: 20_000, requestMs: 60_000 };
/**
 * Longer than callers and proxies usually keep idle connections, which is a minute. Otherwise a request may meet a
 * connection that is just being closed.
 */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
const TLS_FAILURE = /^ERR_(?:SSL|TLS)_/;
const PROBLEM_TYPE = 'application/problem+json';
const EXPECTATION_FAILED = 417;

/** Answers with a problem if Node refuses a request before the application sees it. Node sends only a status. */
export function answerUnreadable(server: Server, metrics: MetricsService, patience: HttpPatience = PATIENCE): void {
  server.headersTimeout = patience.headersMs;
  server.requestTimeout = patience.requestMs;
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
  const refuse = (status: number, reason: string): string => {
    const problem = toProblem(new ServiceError('MALFORMED_MESSAGE', `The request is not readable: ${reason}`));
    metrics.recordRequestRefused('rest', problem.code);
    return JSON.stringify({ ...problem, status });
  };
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // Without TLS no answer can be sent to a caller whose handshake failed.
    const unspeakable = error.code === 'ECONNRESET' || TLS_FAILURE.test(error.code ?? '');
    if (unspeakable || !socket.writable) return void socket.destroy();
    const status = statusOf(error);
    const body = refuse(status, error.message);
    socket.end(
      [
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
        `Content-Type: ${PROBLEM_TYPE}`,
        `Content-Length: ${Buffer.byteLength(body)}`,
        'Connection: close',
        '',
        body,
      ].join('\r\n'),
    );
  });
  server.on('checkExpectation', (_request, response: ServerResponse) => {
    response.writeHead(EXPECTATION_FAILED, { 'content-type': PROBLEM_TYPE, connection: 'close' });
    response.end(refuse(EXPECTATION_FAILED, 'the header Expect may only be 100-continue'));
  });
}

function statusOf({ code }: NodeJS.ErrnoException): number {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
}

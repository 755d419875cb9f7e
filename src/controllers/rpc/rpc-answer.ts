import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { BaseRpcContext, MessageHandler, RmqContext, TcpContext } from '@nestjs/microservices';
import { isObservable, lastValueFrom, throwError, type Observable } from 'rxjs';
import type { ErrorCode, IServiceError } from '../../interfaces/error.js';
import { RPC_PATTERNS } from '../../interfaces/rpc.js';
import { cutText } from '../../services/errors/cut-text.js';
import { didYouMean } from '../../services/errors/nearest-name.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { stringifyJson } from '../../services/values/exact-json.js';
import { toServiceError } from '../to-service-error.js';

/** What a caller gets, in the form that NestJS clients expect. */
export interface RpcAnswer {
  response?: unknown;
  err?: IServiceError;
  /** Always true: an answer is one message. */
  isDisposed: true;
}

const logger = new Logger('Requests');

/** Runs a handler to its end. Never rejects: a failure becomes an answer. */
export async function runHandler(
  handler: MessageHandler | undefined,
  pattern: string,
  data: unknown,
  context: BaseRpcContext,
): Promise<RpcAnswer> {
  if (handler === undefined) {
    logRefusal(pattern, 'UNKNOWN_PATTERN');
    return refusal(unknownPattern(pattern));
  }
  try {
    const result: unknown = await handler(data, context);
    const response = isObservable(result) ? await lastValueFrom(result, { defaultValue: undefined }) : result;
    return { response, isDisposed: true };
  } catch (error) {
    return isServiceAnswer(error) ? { err: error, isDisposed: true } : refusal(error);
  }
}

/**
 * One line for each failed request; the logger adds the id of the request. The text of a refusal may quote the caller's
 * values, so the log has only the code.
 */
function logRefusal(pattern: string, code: ErrorCode): void {
  logger.log({ message: `${shortened(pattern)}: ${code}`, pattern: shortened(pattern), code });
}

/** Logs every error of a message handler, and answers it as `{ status: 'error', code, message, details? }`. */
@Catch()
export class RpcErrorFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): Observable<never> {
    const answer = toServiceError(error).toAnswer();
    logRefusal(host.switchToRpc().getContext<RmqContext | TcpContext>().getPattern(), answer.code);
    return throwError(() => answer);
  }
}

export function refusal(error: unknown): RpcAnswer {
  return { err: toServiceError(error).toAnswer(), isDisposed: true };
}

/** The answer as JSON, or a refusal if it cannot be written. */
export function encodeAnswer(answer: RpcAnswer): Buffer {
  try {
    return Buffer.from(stringifyJson(answer));
  } catch (error) {
    return Buffer.from(JSON.stringify(refusal(error)));
  }
}

const shortened = (pattern: string): string => cutText(pattern, 100);

function unknownPattern(pattern: string): ServiceError {
  const known = Object.values(RPC_PATTERNS);
  return new ServiceError(
    'UNKNOWN_PATTERN',
    `There is no pattern '${shortened(pattern)}'; there are ${known.join(', ')}${didYouMean(pattern, known)}`,
    { patterns: known },
  );
}

/** The error that `RpcErrorFilter` has made. */
function isServiceAnswer(error: unknown): error is IServiceError {
  return (
    typeof error === 'object' && error !== null && 'status' in error && error.status === 'error' && 'code' in error
  );
}

import type { BaseRpcContext, MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import type { IServiceError } from '../../interfaces/error.js';
import { RPC_PATTERNS } from '../../interfaces/rpc.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { toServiceError } from '../to-service-error.js';

/** What a caller gets, in the form in which NestJS clients expect it. */
export interface RpcAnswer {
  response?: unknown;
  err?: IServiceError;
  /** Always: an answer is one message. */
  isDisposed: true;
}

/** Runs a handler to its end. Never rejects: a failure is an answer as well. */
export async function runHandler(
  handler: MessageHandler | null,
  pattern: string,
  data: unknown,
  context: BaseRpcContext,
): Promise<RpcAnswer> {
  if (handler === null) return refusal(unknownPattern(pattern));
  try {
    const result: unknown = await handler(data, context);
    const response = isObservable(result) ? await lastValueFrom(result, { defaultValue: undefined }) : result;
    return { response, isDisposed: true };
  } catch (error) {
    return isServiceAnswer(error) ? { err: error, isDisposed: true } : refusal(error);
  }
}

export function refusal(error: unknown): RpcAnswer {
  return { err: toServiceError(error).toAnswer(), isDisposed: true };
}

/** The answer as JSON, or a refusal where it cannot be written. */
export function encodeAnswer(answer: RpcAnswer): Buffer {
  try {
    return Buffer.from(JSON.stringify(answer));
  } catch (error) {
    return Buffer.from(JSON.stringify(refusal(error)));
  }
}

function unknownPattern(pattern: string): ServiceError {
  const known = Object.values(RPC_PATTERNS);
  return new ServiceError(
    'UNKNOWN_PATTERN',
    `There is no pattern '${pattern.slice(0, 100)}'; there are ${known.join(', ')}`,
    { patterns: known },
  );
}

/** What `RpcErrorFilter` has made. */
function isServiceAnswer(error: unknown): error is IServiceError {
  return (
    typeof error === 'object' && error !== null && 'status' in error && error.status === 'error' && 'code' in error
  );
}

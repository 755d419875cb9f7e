import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { RmqContext, TcpContext } from '@nestjs/microservices';
import { throwError, type Observable } from 'rxjs';
import { toServiceError } from '../to-service-error.js';
import { logRefusal } from './rpc-answer.js';

/** Turns every error of a message handler into the answer `{ status: 'error', code, message, details? }`, and logs it. */
@Catch()
export class RpcErrorFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): Observable<never> {
    const answer = toServiceError(error).toAnswer();
    logRefusal(host.switchToRpc().getContext<RmqContext | TcpContext>().getPattern(), answer.code);
    return throwError(() => answer);
  }
}

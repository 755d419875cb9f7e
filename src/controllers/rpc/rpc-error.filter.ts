import { Catch, type ExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';
import { toServiceError } from '../to-service-error.js';

/** Turns every error of a message handler into the answer `{ status: 'error', code, message, details? }`. */
@Catch()
export class RpcErrorFilter implements ExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => toServiceError(error).toAnswer());
  }
}

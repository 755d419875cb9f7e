import { NestLogger } from '../services/observability/nest-logger.js';

/** Leaves out the errors that Nest logs before it throws them. The code that catches such an error reports it, once. */
export class BootLogger extends NestLogger {
  override error(message: unknown, ...rest: unknown[]): void {
    if (rest.at(-1) !== 'ExceptionHandler') super.error(message, ...rest);
  }
}

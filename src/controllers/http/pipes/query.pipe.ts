import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { ServiceError } from '../../../services/errors/service-error.js';

/** Reads a query string into its DTO. What does not fit, and what is not known, is `INVALID_REQUEST` with the parameter. */
export const queryPipe = new ValidationPipe({
  transform: true,
  whitelist: true,
  forbidNonWhitelisted: true,
  stopAtFirstError: true,
  exceptionFactory: (faults: ValidationError[]) => invalidQuery(faults),
});

function invalidQuery(faults: readonly ValidationError[]): ServiceError {
  const messages = faults.flatMap(({ constraints }) => Object.values(constraints ?? {}));
  return new ServiceError('INVALID_REQUEST', `The query is not valid: ${messages.join('; ')}`, {
    parameter: faults[0]?.property ?? '',
  });
}

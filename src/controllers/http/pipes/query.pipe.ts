import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { getMetadataStorage } from 'class-validator';
import { shown } from '../../../services/catalog/shown.js';
import { didYouMean } from '../../../services/errors/nearest-name.js';
import { ServiceError } from '../../../services/errors/service-error.js';

/**
 * Reads a query string into its DTO. A wrong value and an unknown parameter are `INVALID_REQUEST`, with the name of the
 * parameter.
 */
export const queryPipe = new ValidationPipe({
  transform: true,
  whitelist: true,
  forbidNonWhitelisted: true,
  stopAtFirstError: true,
  // The class of the target knows the existing parameters.
  validationError: { target: true },
  exceptionFactory: (faults: ValidationError[]) => invalidQuery(faults),
});

function invalidQuery(faults: readonly ValidationError[]): ServiceError {
  const messages = faults.flatMap((fault) => (isUnknown(fault) ? [unknownParameter(fault)] : messagesOf(fault)));
  return new ServiceError('INVALID_REQUEST', `The query is not valid: ${messages.join('; ')}`, {
    parameter: faults[0]?.property ?? '',
  });
}

const messagesOf = ({ constraints }: ValidationError): string[] => Object.values(constraints ?? {});

const isUnknown = ({ constraints }: ValidationError): boolean => constraints?.whitelistValidation !== undefined;

function unknownParameter({ property, target }: ValidationError): string {
  const query = target?.constructor ?? Object;
  const known = getMetadataStorage().getTargetValidationMetadatas(query, '', false, false);
  const names = new Set(known.map(({ propertyName }) => propertyName));
  return `there is no parameter ${shown(property)}${didYouMean(property, names)}`;
}

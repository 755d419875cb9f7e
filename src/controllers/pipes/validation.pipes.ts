import { ValidationPipe, type ArgumentMetadata, type ValidationError } from '@nestjs/common';
import { getMetadataStorage } from 'class-validator';
import { listSome } from '../../batch/model/list-some.js';
import type { ErrorCode } from '../../interfaces/error.js';
import { quoteForMessage } from '../../services/errors/quote-for-message.js';
import { cutText } from '../../services/errors/cut-text.js';
import { didYouMean } from '../../services/errors/nearest-name.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { ownValue } from '../../services/values/own-value.js';
import { GIVEN } from '../dto/ids.dto.js';

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

/**
 * Reads the parameters of a path, or the payload of an RPC, into its DTO. Fields that the DTO does not name are never
 * looked at: a payload may have megabytes of them. A wrong value is refused with the `code` in the context of its rule,
 * or else with `INVALID_REQUEST`.
 */
class NamedFieldsPipe extends ValidationPipe {
  constructor() {
    super({ transform: true, stopAtFirstError: true, exceptionFactory: ([fault]) => invalidField(fault!) });
  }

  override transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    const given = typeof value === 'object' && value !== null ? value : {};
    const named = [...fieldsOf(metadata.metatype)].filter((name) => Object.hasOwn(given, name));
    // No DTO has an object as a field, so the content of objects does not matter.
    const flat = named.map((name) => {
      const field = ownValue(given as Record<string, unknown>, name);
      return [name, typeof field === 'object' && field !== null ? {} : field] as const;
    });
    return super.transform(Object.fromEntries(flat), metadata);
  }
}

export const namedFieldsPipe = new NamedFieldsPipe();

function invalidField({ property, value, constraints = {}, contexts = {} }: ValidationError): ServiceError {
  const [rule = ''] = Object.values(constraints);
  const message = rule.endsWith(GIVEN) ? `${rule}${quoted(value)}` : rule;
  const [{ code } = { code: 'INVALID_REQUEST' as const }] = Object.values(contexts) as { code: ErrorCode }[];
  return new ServiceError(code, message, { parameter: property });
}

/** The caller's own text, cut, since anybody may send anything. */
function quoted(value: unknown): string {
  if (typeof value === 'string') return `'${cutText(value, 100)}'`;
  return `a value of type ${value === null ? 'null' : typeof value}`;
}

function invalidQuery(faults: readonly ValidationError[]): ServiceError {
  const say = (fault: ValidationError): string => (isUnknown(fault) ? unknownParameter(fault) : ruleOf(fault));
  return new ServiceError('INVALID_REQUEST', `The query is not valid: ${listSome(faults, say, '; ')}`, {
    parameter: faults[0]?.property ?? '',
  });
}

const ruleOf = ({ constraints }: ValidationError): string => Object.values(constraints ?? {}).join('; ');

const isUnknown = ({ constraints }: ValidationError): boolean => constraints?.whitelistValidation !== undefined;

function unknownParameter({ property, target }: ValidationError): string {
  return `there is no parameter ${quoteForMessage(property)}${didYouMean(property, fieldsOf(target?.constructor))}`;
}

function fieldsOf(dto: unknown): Set<string> {
  const known = getMetadataStorage().getTargetValidationMetadatas(dto as never, '', false, false);
  return new Set(known.map(({ propertyName }) => propertyName));
}

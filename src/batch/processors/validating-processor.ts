import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ValidationError as ClassFault, ValidatorOptions } from 'class-validator';
import type { ItemProcessor } from '../chunk/item.js';
import { BatchError } from '../model/batch-error.js';
import { listSome } from '../model/list-some.js';
import { optionalPackage } from '../optional-package.js';

export interface FieldFault {
  /** Such as `address.street` or `lines.0.amount`; empty for the item as a whole. */
  field: string;
  message: string;
}

/** An item that is not as it should be. It may be skipped. The message names the first five `faults`. */
export class ValidationError extends BatchError {
  constructor(
    readonly faults: readonly FieldFault[],
    readonly item: unknown,
  ) {
    const say = ({ field, message }: FieldFault): string => (field === '' ? message : `${field}: ${message}`);
    const list = listSome(faults, say, '; ');
    super('ITEM_INVALID', `The item is not valid. ${list}`);
  }
}

/**
 * Gives on what the schema makes of the item. Any library with the Standard Schema interface fits, such as zod.
 *
 * @throws ValidationError, from `process`
 */
export function validatingProcessor<S extends StandardSchemaV1>(
  schema: S,
): ItemProcessor<unknown, StandardSchemaV1.InferOutput<S>>;
/**
 * Makes an instance of the class with class-transformer, and checks it by the decorators of class-validator.
 *
 * @throws from `process`: ValidationError; BatchError PACKAGE_MISSING
 */
export function validatingProcessor<T extends object>(
  dto: new () => T,
  options?: ValidatorOptions,
): ItemProcessor<unknown, T>;
export function validatingProcessor(
  rule: StandardSchemaV1 | (new () => object),
  options?: ValidatorOptions,
): ItemProcessor<unknown, unknown> {
  // A schema may be a function too.
  return '~standard' in rule ? bySchema(rule) : byClass(rule, options);
}

function bySchema(schema: StandardSchemaV1): ItemProcessor<unknown, unknown> {
  return {
    async process(item) {
      const result = await schema['~standard'].validate(item);
      if (result.issues === undefined) return result.value;
      const faults = result.issues.map(({ path, message }) => ({ field: toField(path), message }));
      throw new ValidationError(faults, item);
    },
  };
}

const toField = (path: StandardSchemaV1.Issue['path']): string =>
  (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.');

function byClass(dto: new () => object, options?: ValidatorOptions): ItemProcessor<unknown, object> {
  let packages: ReturnType<typeof classPackages> | undefined;
  return {
    async process(item) {
      packages ??= classPackages();
      const { plainToInstance, validate } = await packages;
      const instance = plainToInstance(dto, item as object);
      const faults = await validate(instance, options);
      if (faults.length === 0) return instance;
      throw new ValidationError(
        faults.flatMap((fault) => toFaults(fault, '')),
        item,
      );
    },
  };
}

async function classPackages() {
  const neededBy = 'validatingProcessor with a class';
  const { plainToInstance } = await optionalPackage('class-transformer', neededBy, () => import('class-transformer'));
  const { validate } = await optionalPackage('class-validator', neededBy, () => import('class-validator'));
  return { plainToInstance, validate };
}

function toFaults({ property, constraints = {}, children = [] }: ClassFault, parent: string): FieldFault[] {
  const field = parent === '' ? (property ?? '') : `${parent}.${property}`;
  const own = Object.values(constraints).map((message) => ({ field, message }));
  return [...own, ...children.flatMap((child) => toFaults(child, field))];
}

import { OPERATION_TYPES, RETRY_REASONS, type ICreateBatchOperationRequest, type OperationType } from './operation.js';

/** A JSON schema, as far as fields of a request need it. */
export interface FieldSchema {
  readonly type: 'string' | 'integer' | 'boolean' | 'object' | 'array';
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly items?: FieldSchema;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly default?: unknown;
  readonly description?: string;
  readonly example?: unknown;
}

export interface OperationField {
  /** The kinds of operations for which it has a meaning. */
  readonly types: readonly OperationType[];
  /** Completes a sentence that begins with the name of the field: what it has to be. */
  readonly expects: string;
  /** What intake checks, and Swagger shows. */
  readonly schema: FieldSchema;
}

const ANY_TYPE: readonly OperationType[] = OPERATION_TYPES;
const WITH_KEY: readonly OperationType[] = ['update', 'increment', 'delete'];

/**
 * Every field of a request. The checks of intake and of `batch.create_operations`, Swagger and docs/operation-fields.md
 * are made from this. CONTRIBUTING.md says what else a new field needs.
 */
export const OPERATION_FIELDS = {
  id: {
    types: ANY_TYPE,
    expects: 'is a UUID such as 018f6f4e-7c1a-7cc0-9d3b-2f6c5a1e8b4d',
    schema: {
      type: 'string',
      format: 'uuid',
      description:
        'The idempotency key: two requests with the same id are one operation. Generated (version 7) when absent.',
      example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
    },
  },
  operationType: {
    types: ANY_TYPE,
    expects: `is one of ${OPERATION_TYPES.join(', ')}`,
    schema: {
      type: 'string',
      enum: OPERATION_TYPES,
      description:
        'What is done to the row: `upsert` inserts it or updates the one that is there; `increment` adds to its columns.',
      example: 'insert',
    },
  },
  target: {
    types: ANY_TYPE,
    expects: 'is a table or schema.table, of at most 200 characters',
    schema: {
      type: 'string',
      minLength: 1,
      maxLength: 200,
      description: '`table` (in schema `public`) or `schema.table`.',
      example: 'orders',
    },
  },
  key: {
    types: WITH_KEY,
    expects: 'is an object of columns and their values',
    schema: {
      type: 'object',
      additionalProperties: true,
      description: 'update, increment, delete: the columns of a primary key or unique constraint, and their values.',
      example: { id: 4711 },
    },
  },
  values: {
    types: ['insert', 'upsert', 'update', 'increment'],
    expects: 'is an object of columns and their values',
    schema: {
      type: 'object',
      additionalProperties: true,
      description:
        'insert, upsert: the row; update: what to set; increment: what to add. An absent column takes its default, `null` ' +
        'is NULL. Numbers keep every digit; an integer beyond 2^53 for an integer column travels as a string.',
      example: { id: 4711, customer_id: 42, total: '99.90' },
    },
  },
  onConflict: {
    types: ['insert'],
    expects: 'is error or ignore',
    schema: {
      type: 'string',
      enum: ['error', 'ignore'],
      default: 'error',
      description: 'insert: what to do with a row that exists already.',
      example: 'ignore',
    },
  },
  conflictKey: {
    types: ['upsert'],
    expects: 'is a list of 1 to 32 different columns',
    schema: {
      type: 'array',
      items: { type: 'string' },
      minItems: 1,
      maxItems: 32,
      uniqueItems: true,
      description: 'upsert: the columns of the unique constraint that identifies the row; default: the primary key.',
      example: ['email'],
    },
  },
  mustExist: {
    types: WITH_KEY,
    expects: 'is true or false',
    schema: {
      type: 'boolean',
      default: false,
      description:
        'update, increment, delete: if true, a missing row is a failure (`ROW_NOT_FOUND`); otherwise it gives `rowsAffected` 0.',
      example: true,
    },
  },
  priority: {
    types: ANY_TYPE,
    expects: 'is an integer from 0 to 9',
    schema: {
      type: 'integer',
      minimum: 0,
      maximum: 9,
      default: 0,
      description: 'Operations with a higher priority come first. Operations of one priority keep their order.',
      example: 5,
    },
  },
  runAt: {
    types: ANY_TYPE,
    expects:
      'is a time in ISO 8601 with zone, such as 2030-01-31T12:00:00Z; it lies between 1970 and 10 years from now',
    schema: {
      type: 'string',
      format: 'date-time',
      description: 'The operation is not executed before this time. With a time zone, and at most 10 years ahead.',
      example: '2030-01-01T08:00:00Z',
    },
  },
  retry: {
    types: ANY_TYPE,
    expects: `is {"limit": 1 to 100, "on": some of ${RETRY_REASONS.join(', ')}}; missing_row needs mustExist`,
    schema: {
      type: 'object',
      properties: {
        limit: {
          type: 'integer',
          minimum: 1,
          maximum: 100,
          description: 'Retries after the first attempt.',
          example: 5,
        },
        on: {
          type: 'array',
          items: { type: 'string', enum: RETRY_REASONS },
          minItems: 1,
          uniqueItems: true,
          description: 'The failures after which it is tried again; at least one.',
          example: ['missing_parent'],
        },
      },
      required: ['limit', 'on'],
      additionalProperties: false,
      description:
        'Tries the operation again, with exponential back-off, after failures that may pass. Later operations on the same row wait behind it.',
    },
  },
  source: {
    types: ANY_TYPE,
    expects: 'is 1 to 100 letters, digits, hyphens and underscores',
    schema: {
      type: 'string',
      pattern: '^[A-Za-z0-9_-]{1,100}$',
      description: 'The name of the calling service. Its notifications are routed by it.',
      example: 'checkout',
    },
  },
} as const satisfies Record<keyof ICreateBatchOperationRequest, OperationField>;

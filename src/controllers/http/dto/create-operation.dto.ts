import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import { OPERATION_FIELDS, type OperationField } from '../../../interfaces/operation-fields.js';
import { OPERATION_STATUSES, type ICreateBatchOperationResult } from '../../../interfaces/operation.js';
import { Fields } from './fields.js';

/** What Swagger shows of `retry`, as `OPERATION_FIELDS` declares it. */
export class RetryRequestDto {}

for (const [field, schema] of Object.entries(OPERATION_FIELDS.retry.schema.properties)) {
  ApiProperty({ ...schema } as ApiPropertyOptions)(RetryRequestDto.prototype, field);
}

/** What Swagger shows of a request, as `OPERATION_FIELDS` declares it. Intake checks it by the same declaration. */
export class CreateOperationDto {}

documentOperation(CreateOperationDto, ['operationType', 'target']);

/**
 * Gives a class the fields of a request.
 *
 * @param differing what Swagger shows of a field instead
 */
export function documentOperation(
  dto: { prototype: object },
  required: readonly string[],
  differing: Readonly<Partial<Record<keyof typeof OPERATION_FIELDS, ApiPropertyOptions>>> = {},
): void {
  const fields: Readonly<Record<string, OperationField>> = OPERATION_FIELDS;
  for (const [field, { schema }] of Object.entries(fields)) {
    const options = field === 'retry' ? { type: RetryRequestDto, description: schema.description } : { ...schema };
    const said = new Map(Object.entries(differing)).get(field);
    const shown = { ...options, ...said, required: required.includes(field) } as ApiPropertyOptions;
    ApiProperty(shown)(dto.prototype, field);
  }
}

@Fields<ICreateBatchOperationResult>({
  id: { format: 'uuid', example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' },
  status: { enum: OPERATION_STATUSES, example: 'pending' },
  created: {
    description: 'False when an operation with this id and the same body existed already.',
    example: true,
  },
})
export class CreateOperationResultDto {}

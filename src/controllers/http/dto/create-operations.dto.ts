import { ApiExtraModels, getSchemaPath } from '@nestjs/swagger';
import type { IServiceError } from '../../../interfaces/error.js';
import { MAX_OPERATIONS_PER_REQUEST, type ICreateBatchOperationsResponse } from '../../../interfaces/rpc.js';
import { ALL_ERROR_CODES } from '../../../services/errors/error-catalog.js';
import { CreateOperationDto, CreateOperationResultDto } from './create-operation.dto.js';
import { Fields } from './fields.js';

@Fields<{ operations: CreateOperationDto[] }>({
  operations: { type: [CreateOperationDto], maxItems: MAX_OPERATIONS_PER_REQUEST },
})
export class CreateOperationsDto {}

/** A setting limits their number, see `describeApi`. */
@Fields<{ operations: CreateOperationDto[] }>({ operations: { type: [CreateOperationDto] } })
export class PlanOperationsDto {}

/** The error of one refused entry, and of every refused request over RPC. */
@Fields<IServiceError>({
  status: { enum: ['error'], example: 'error' },
  code: { enum: ALL_ERROR_CODES, enumName: 'ErrorCode', example: 'UNKNOWN_COLUMN' },
  message: { example: 'public.orders has no column "totl"; did you mean "total"?' },
  details: { optional: true, type: 'object', additionalProperties: true, example: { column: 'totl' } },
})
export class ServiceErrorDto {}

@Fields<{ error: IServiceError }>({ error: { type: ServiceErrorDto } })
export class RefusedEntryDto {}

@ApiExtraModels(CreateOperationResultDto, RefusedEntryDto)
@Fields<ICreateBatchOperationsResponse>({
  results: {
    description: 'In the order of the request. A bad entry does not affect the others.',
    type: 'array',
    items: { oneOf: [{ $ref: getSchemaPath(CreateOperationResultDto) }, { $ref: getSchemaPath(RefusedEntryDto) }] },
  },
})
export class CreateOperationsResponseDto {}

import { ApiExtraModels, ApiProperty, ApiPropertyOptional, getSchemaPath } from '@nestjs/swagger';
import type { Json } from '../../../interfaces/json.js';
import type { ErrorCode, IServiceError } from '../../../interfaces/error.js';
import {
  MAX_OPERATIONS_PER_REQUEST,
  type ICreateBatchOperationEntry,
  type ICreateBatchOperationsResponse,
} from '../../../interfaces/rpc.js';
import { ALL_ERROR_CODES } from '../../../services/errors/error-catalog.js';
import { CreateOperationDto, CreateOperationResultDto } from './create-operation.dto.js';

export class CreateOperationsDto {
  @ApiProperty({ type: [CreateOperationDto], maxItems: MAX_OPERATIONS_PER_REQUEST })
  operations!: CreateOperationDto[];
}

/** How many it may carry is a setting, see `describeApi`. */
export class PlanOperationsDto {
  @ApiProperty({ type: [CreateOperationDto] })
  operations!: CreateOperationDto[];
}

/** The error of one refused entry, and of every refused request over RPC. */
export class ServiceErrorDto implements IServiceError {
  @ApiProperty({ enum: ['error'], example: 'error' })
  status!: 'error';

  @ApiProperty({ enum: ALL_ERROR_CODES, enumName: 'ErrorCode', example: 'UNKNOWN_COLUMN' })
  code!: ErrorCode;

  @ApiProperty({ example: 'public.orders has no column "totl"; did you mean "total"?' })
  message!: string;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true, example: { column: 'totl' } })
  details?: Readonly<Record<string, Json>>;
}

export class RefusedEntryDto {
  @ApiProperty({ type: ServiceErrorDto })
  error!: ServiceErrorDto;
}

@ApiExtraModels(CreateOperationResultDto, RefusedEntryDto)
export class CreateOperationsResponseDto implements ICreateBatchOperationsResponse {
  @ApiProperty({
    description: 'In the order of the request. A bad entry does not affect the others.',
    type: 'array',
    items: { oneOf: [{ $ref: getSchemaPath(CreateOperationResultDto) }, { $ref: getSchemaPath(RefusedEntryDto) }] },
  })
  results!: ICreateBatchOperationEntry[];
}

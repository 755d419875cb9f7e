import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsBoolean, IsIn, IsOptional, IsString, MaxLength, ValidateBy } from 'class-validator';
import {
  AUDIT_ACTS,
  AUDIT_SUBJECTS,
  type AuditAct,
  type AuditSubject,
  type IAuditQuery,
} from '../../../interfaces/audit.js';
import type { IListChunksQuery } from '../../../interfaces/chunk.js';
import { FAILURE_CODES, type FailureCode } from '../../../interfaces/error.js';
import type { IFailuresQuery } from '../../../interfaces/failure.js';
import type { IListOperationsQuery } from '../../../interfaces/operation-filter.js';
import { OPERATION_STATUSES, type OperationStatus } from '../../../interfaces/operation.js';
import { MOST_KINDS } from '../../../services/outcomes/failures.service.js';
import { filterFault } from '../../../services/outcomes/filter-fields.js';
import { MOST_PARKED } from '../../../services/rabbitmq/parked-messages.service.js';
import { parseTime } from '../../../services/values/parse-time.js';
import { MAX_WAIT_MS } from '../../dto/ids.dto.js';
import { MAX_CURSOR_LENGTH, MAX_PAGE } from '../../dto/page.dto.js';
import { CursorParameter, IntegerParameter } from './query-parameters.js';

const WORKER = { message: 'worker must be one text of at most 300 characters' };
/** The same rules and messages as in the filter of a bulk action. */
function FilterField(): PropertyDecorator {
  return (prototype, property) => {
    const field = property as keyof Omit<IListOperationsQuery, 'limit' | 'cursor'>;
    const rule = {
      validate: (value: unknown) => filterFault(field, value) === undefined,
      defaultMessage: (given?: { value: unknown }) => filterFault(field, given?.value) ?? '',
    };
    IsOptional()(prototype, property);
    ValidateBy({ name: 'filterField', validator: rule })(prototype, property);
  };
}

// Parameters have no example: the documentation's form would send it, and find nothing.
export class PageQueryDto {
  @IntegerParameter({
    minimum: 1,
    maximum: MAX_PAGE,
    default: 100,
    description: 'The maximum number of items of a page.',
  })
  limit?: number;

  @CursorParameter(MAX_CURSOR_LENGTH)
  cursor?: string;
}

export class ListOperationsQueryDto extends PageQueryDto implements IListOperationsQuery {
  @ApiPropertyOptional({ enum: OPERATION_STATUSES, description: 'Only operations in this state.' })
  @FilterField()
  status?: OperationStatus;

  @ApiPropertyOptional({ description: 'Only operations on this `table` (in schema `public`) or `schema.table`.' })
  @FilterField()
  target?: string;

  @ApiPropertyOptional({ description: 'Only operations of this calling service.' })
  @FilterField()
  source?: string;

  @ApiPropertyOptional({
    enum: FAILURE_CODES,
    enumName: 'FailureCode',
    description:
      'Only operations that failed with this code. With status `scheduled`: whose last attempt failed with it.',
  })
  @FilterField()
  code?: FailureCode;

  @ApiPropertyOptional({ description: 'Only operations that this constraint refused.' })
  @FilterField()
  constraint?: string;

  @ApiPropertyOptional({ description: 'Only operations that this chunk settled.' })
  @FilterField()
  chunkId?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'Only operations that were created at this time or later.' })
  @FilterField()
  createdAfter?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'Only operations that were created before this time.' })
  @FilterField()
  createdBefore?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'Only operations that were settled at this time or later.' })
  @FilterField()
  settledAfter?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'Only operations that were settled before this time.' })
  @FilterField()
  settledBefore?: string;
}

/** The texts of a query: other values than these two are refused. */
function BooleanParameter(): PropertyDecorator {
  return (prototype, property) => {
    const read = ({ value }: { value: unknown }) => (value === 'true' ? true : value === 'false' ? false : value);
    IsOptional()(prototype, property);
    Transform(read)(prototype, property);
    IsBoolean({ message: `${String(property)} must be true or false` })(prototype, property);
  };
}

export class ListChunksQueryDto extends PageQueryDto implements IListChunksQuery {
  @ApiPropertyOptional({
    type: Boolean,
    description: 'Only chunks whose bad operations were isolated; `false`: only the others.',
  })
  @BooleanParameter()
  fallback?: boolean;

  @ApiPropertyOptional({
    type: Boolean,
    description: 'Only chunks with an operation that failed; `false`: only the others.',
  })
  @BooleanParameter()
  failed?: boolean;

  @ApiPropertyOptional({ description: 'Only chunks that this worker executed: the `worker` of a chunk.' })
  @IsOptional()
  @IsString(WORKER)
  @MaxLength(300, WORKER)
  worker?: string;
}

export class ListAuditQueryDto extends PageQueryDto implements IAuditQuery {
  @ApiPropertyOptional({ enum: AUDIT_ACTS, enumName: 'AuditAct', description: 'Only this act.' })
  @IsOptional()
  @IsIn(AUDIT_ACTS)
  act?: AuditAct;

  @ApiPropertyOptional({ description: 'Only what this caller did: `key:<id>`, `user:<name>` or `command:<user>`.' })
  @IsOptional()
  @IsString()
  @MaxLength(300)
  by?: string;

  @ApiPropertyOptional({ enum: AUDIT_SUBJECTS, description: 'Only what was done to one of this kind.' })
  @IsOptional()
  @IsIn(AUDIT_SUBJECTS)
  subject?: AuditSubject;

  @ApiPropertyOptional({ description: 'Only what was done to the subject with this id.' })
  @IsOptional()
  @IsString()
  @MaxLength(300)
  id?: string;
}

export class WaitQueryDto {
  @IntegerParameter({
    minimum: 0,
    maximum: MAX_WAIT_MS,
    default: 0,
    description: 'How many milliseconds to wait until the operation is final. After this time it is answered as it is.',
    unit: 'milliseconds',
  })
  wait?: number;
}

export class ListFailuresQueryDto implements IFailuresQuery {
  @ApiPropertyOptional({ description: 'Only operations on this `table` (in schema `public`) or `schema.table`.' })
  @FilterField()
  target?: string;

  @ApiPropertyOptional({ enum: FAILURE_CODES, enumName: 'FailureCode', description: 'Only failures with this code.' })
  @FilterField()
  code?: FailureCode;

  @ApiPropertyOptional({ description: 'Only operations of this calling service.' })
  @FilterField()
  source?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'Only operations that failed at this time or later.' })
  @IsOptional()
  @ValidateBy({
    name: 'since',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && parseTime(value) !== undefined,
      defaultMessage: () => 'since must be a time in ISO 8601 with zone, such as 2030-01-31T12:00:00Z',
    },
  })
  since?: string;

  @IntegerParameter({
    minimum: 1,
    maximum: MOST_KINDS,
    default: MOST_KINDS,
    description: 'How many different pairs of code and constraint a page has. Each is one group for each table.',
  })
  limit?: number;

  @CursorParameter(400)
  cursor?: string;
}

export class ListParkedMessagesQueryDto {
  @IntegerParameter({
    minimum: 0,
    maximum: MOST_PARKED,
    default: 50,
    description: 'The maximum number of messages of a page. 0: only `total` is asked for, and no message is looked at.',
  })
  limit?: number;

  @CursorParameter(400)
  cursor?: string;
}

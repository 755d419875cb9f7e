import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Matches, Max, MaxLength, Min } from 'class-validator';
import {
  AUDIT_ACTS,
  AUDIT_SUBJECTS,
  type AuditAct,
  type AuditSubject,
  type IAuditQuery,
} from '../../../interfaces/audit.js';
import { OPERATION_STATUSES, type IListOperationsQuery, type OperationStatus } from '../../../interfaces/operation.js';
import { MAX_WAIT_MS } from '../../dto/ids.dto.js';

const MAX_LIMIT = 1000;
const LIMIT = { message: `limit must be a whole number from 1 to ${MAX_LIMIT}` };
const WAIT = { message: `wait must be a whole number of milliseconds from 0 to ${MAX_WAIT_MS}` };

// Parameters have no example: the documentation's form would send it, and find nothing.
export class PageQueryDto {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: MAX_LIMIT,
    default: 100,
    description: 'The maximum number of items of a page.',
  })
  @IsOptional()
  @Type(() => Number)
  @IsInt(LIMIT)
  @Min(1, LIMIT)
  @Max(MAX_LIMIT, LIMIT)
  limit?: number;

  @ApiPropertyOptional({ description: '`nextCursor` of the previous page. Absent for the first page.' })
  @IsOptional()
  @IsString()
  @MaxLength(200)
  cursor?: string;
}

export class ListOperationsQueryDto extends PageQueryDto implements IListOperationsQuery {
  @ApiPropertyOptional({ enum: OPERATION_STATUSES, description: 'Only operations in this state.' })
  @IsOptional()
  @IsIn(OPERATION_STATUSES)
  status?: OperationStatus;

  @ApiPropertyOptional({ description: 'Only operations on this `table` (in schema `public`) or `schema.table`.' })
  @IsOptional()
  @IsString()
  @MaxLength(200)
  target?: string;

  @ApiPropertyOptional({ description: 'Only operations of this calling service.' })
  @IsOptional()
  @Matches(/^[A-Za-z0-9_-]{1,100}$/, { message: 'source must be 1 to 100 letters, digits, _ or -' })
  source?: string;
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
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 0,
    maximum: MAX_WAIT_MS,
    default: 0,
    description: 'How many milliseconds to wait until the operation is final. After this time it is answered as it is.',
  })
  @IsOptional()
  @Type(() => Number)
  @IsInt(WAIT)
  @Min(0, WAIT)
  @Max(MAX_WAIT_MS, WAIT)
  wait?: number;
}

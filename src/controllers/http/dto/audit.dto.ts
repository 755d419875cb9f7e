import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { AUDIT_SUBJECTS, type AuditSubject, type IAuditEntry } from '../../../interfaces/audit.js';
import type { Json } from '../../../interfaces/json.js';
import type { IPage } from '../../../interfaces/operation.js';
import { OperationActDto } from './operation.dto.js';

export class AuditSubjectDto {
  @ApiProperty({ enum: AUDIT_SUBJECTS, example: 'operation' })
  kind!: AuditSubject;

  @ApiProperty({ example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' })
  id!: string;
}

export class AuditEntryDto extends OperationActDto implements IAuditEntry {
  @ApiProperty({ example: '4711' })
  id!: string;

  @ApiProperty({ type: AuditSubjectDto })
  subject!: AuditSubjectDto;

  @ApiProperty({ type: 'object', additionalProperties: true, example: {} })
  details!: Record<string, Json>;
}

export class AuditPageDto implements IPage<IAuditEntry> {
  @ApiProperty({ type: [AuditEntryDto], description: 'Newest first.' })
  items!: AuditEntryDto[];

  @ApiPropertyOptional({ description: 'For the next page. Absent on the last one.', example: '4711' })
  nextCursor?: string;
}

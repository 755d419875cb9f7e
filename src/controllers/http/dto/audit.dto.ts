import { AUDIT_SUBJECTS, type AuditSubject, type IAuditEntry } from '../../../interfaces/audit.js';
import type { IPage } from '../../../interfaces/operation.js';
import { Fields } from './fields.js';
import { OperationActDto } from './operation.dto.js';

@Fields<{ kind: AuditSubject; id: string }>({
  kind: { enum: AUDIT_SUBJECTS, example: 'operation' },
  id: { example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' },
})
export class AuditSubjectDto {}

@Fields<Pick<IAuditEntry, 'id' | 'subject' | 'details'>>({
  id: { example: '4711' },
  subject: { type: AuditSubjectDto },
  details: { type: 'object', additionalProperties: true, example: {} },
})
export class AuditEntryDto extends OperationActDto {}

@Fields<IPage<IAuditEntry>>({
  items: { type: [AuditEntryDto], description: 'Newest first.' },
  nextCursor: { optional: true, description: 'For the next page. Absent on the last one.', example: '4711' },
})
export class AuditPageDto {}

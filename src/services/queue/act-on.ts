import type { NewAuditEntry } from '../audit/audit.sql.js';

/** @param actor see `callerName` */
export function actOn(act: 'cancel' | 'retry', id: string, actor: string | undefined): NewAuditEntry {
  return { act, actor, subject: { kind: 'operation', id } };
}

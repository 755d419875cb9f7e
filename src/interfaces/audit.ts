import type { Json } from './json.js';

/** What a person or a program did to change the work of the service, such as a cancel. A new operation is no act. */
export const AUDIT_ACTS = [
  'cancel',
  'retry',
  'erase',
  'resume',
  'pause',
  'drain',
  'unpause',
  'notify',
  'skip',
  'start',
  'stop',
  'restart',
  'abandon',
  'replay',
  'discard',
  'create_key',
  'revoke_key',
  'rotate_key',
] as const;
export type AuditAct = (typeof AUDIT_ACTS)[number];

/** `bulk_action`: all operations that match its filter. `parked`: a message in `<queue>.parked`. `job`: an execution of a job. */
export const AUDIT_SUBJECTS = [
  'operation',
  'lane',
  'target',
  'source',
  'chunk',
  'parked',
  'key',
  'job',
  'bulk_action',
] as const;
export type AuditSubject = (typeof AUDIT_SUBJECTS)[number];

/** What was done to an operation. */
export interface IOperationAct {
  /** ISO 8601 in UTC. */
  at: string;
  act: AuditAct;
  /** `key:<id>`, `user:<user of the broker>` or `command:<user of the system>`. Absent: the caller was not known. */
  by?: string;
  /** The bulk action that did it. */
  bulkActionId?: string;
}

export interface IAuditEntry extends Omit<IOperationAct, 'bulkActionId'> {
  id: string;
  subject: { kind: AuditSubject; id: string };
  details: Readonly<Record<string, Json>>;
}

export interface IAuditQuery {
  act?: AuditAct;
  by?: string;
  subject?: AuditSubject;
  /** Of the subject. */
  id?: string;
  /** 1 to 1000, default 100. */
  limit?: number;
  /** `nextCursor` of the previous page. */
  cursor?: string;
}

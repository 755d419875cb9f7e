import type { Json } from './json.js';

/** An act of a person or a program that changes what the service has to do, such as a cancel. A new operation is none. */
export const AUDIT_ACTS = [
  'cancel',
  'retry',
  'resume',
  'notify',
  'skip',
  'replay',
  'discard',
  'create_key',
  'revoke_key',
  'rotate_key',
] as const;
export type AuditAct = (typeof AUDIT_ACTS)[number];

/** `parked`: a message in `<queue>.parked`. */
export const AUDIT_SUBJECTS = ['operation', 'lane', 'chunk', 'parked', 'key'] as const;
export type AuditSubject = (typeof AUDIT_SUBJECTS)[number];

/** What was done to an operation. */
export interface IOperationAct {
  /** ISO 8601 in UTC. */
  at: string;
  act: AuditAct;
  /** `key:<id>`, `user:<user of the broker>` or `command:<user of the system>`; absent when nothing was known of the caller. */
  by?: string;
}

/** An entry of the audit. */
export interface IAuditEntry extends IOperationAct {
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
  /** `nextCursor` of the page before. */
  cursor?: string;
}

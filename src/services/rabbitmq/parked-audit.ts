import type { NewAuditEntry } from '../audit/audit.sql.js';
import { redactSecrets } from '../../interfaces/redact-secrets.js';
import type { ParkedMessage } from './parked-messages.js';

/** @param actor the caller that sends the messages again or deletes them, see `callerName` */
export function toAuditEntries(
  act: 'replay' | 'discard',
  actor: string | undefined,
  messages: readonly ParkedMessage[],
): NewAuditEntry[] {
  return messages.map(({ id, messageId, code }) => ({
    act,
    actor,
    subject: { kind: 'parked' as const, id },
    // A sender may have put a secret there.
    details: { messageId: messageId === undefined ? null : redactSecrets(messageId), code },
  }));
}

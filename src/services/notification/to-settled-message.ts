import { SETTLED_PATTERN, type IOperationsSettledMessage } from '../../interfaces/settled-event.js';
import type { SettledRow } from './notification.sql.js';

export function toSettledMessage({
  chunkId,
  source,
  settledAt,
  completed,
  failed,
}: SettledRow): IOperationsSettledMessage {
  return {
    pattern: SETTLED_PATTERN,
    data: { chunkId, source, settledAt: settledAt.toISOString(), completed, failed },
  };
}

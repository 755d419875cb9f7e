import {
  SETTLED_PATTERN,
  type IOperationsSettledEvent,
  type IOperationsSettledMessage,
} from '../../interfaces/settled-event.js';
import type { SettledRow } from './notification.sql.js';

type Operations = Pick<IOperationsSettledEvent, 'completed' | 'failed'>;

/** The largest `part` and `parts`: a notification has no more operations than a chunk, so it has no more parts. */
const LARGEST_NUMBER = 99_999;

/**
 * The messages that report what a chunk settled for a source: one, or as many parts as are needed so that none is
 * larger than `maxBytes` as JSON. The same row and limit give the same parts. Each operation is in one part. An
 * operation that is larger than the limit gets its own part.
 */
export function splitNotification(row: SettledRow, maxBytes: number): IOperationsSettledMessage[] {
  const room = maxBytes - sizeOf(toMessage(row, { completed: [], failed: [] }, LARGEST_NUMBER, LARGEST_NUMBER));
  const parts = pack(row, room);
  return parts.map((operations, index) => toMessage(row, operations, index + 1, parts.length));
}

/** In their order, completed operations first. */
function pack({ completed, failed }: SettledRow, room: number): Operations[] {
  let part: Operations = { completed: [], failed: [] };
  let left = room;
  const parts = [part];
  const partFor = (operation: unknown): Operations => {
    const size = sizeOf(operation) + 1;
    if (size > left && part.completed.length + part.failed.length > 0) {
      part = { completed: [], failed: [] };
      parts.push(part);
      left = room;
    }
    left -= size;
    return part;
  };
  for (const id of completed) partFor(id).completed.push(id);
  for (const operation of failed) partFor(operation).failed.push(operation);
  return parts;
}

function toMessage(
  { chunkId, source, settledAt }: SettledRow,
  operations: Operations,
  part: number,
  parts: number,
): IOperationsSettledMessage {
  return {
    pattern: SETTLED_PATTERN,
    data: { chunkId, source, settledAt: settledAt.toISOString(), part, parts, ...operations },
  };
}

const sizeOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

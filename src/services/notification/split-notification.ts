import {
  SETTLED_PATTERN,
  type IOperationsSettledEvent,
  type IOperationsSettledMessage,
} from '../../interfaces/settled-event.js';
import type { SettledRow } from './notification.sql.js';

type Operations = Pick<IOperationsSettledEvent, 'completed' | 'failed'>;

/** No `part` or `parts` is larger, because a chunk has at most 10 000 operations. */
const LARGEST_NUMBER = 99_999;

/**
 * The messages that report the outcomes of a chunk to a source. They are split into parts, so that none is larger than
 * `maxBytes` as JSON. The same row and limit give the same parts. Each operation is in one part. An operation that is
 * larger than the limit gets its own part.
 */
export function splitNotification(row: SettledRow, maxBytes: number): IOperationsSettledMessage[] {
  const room = maxBytes - sizeOf(toMessage(row, { completed: [], failed: [] }, LARGEST_NUMBER, LARGEST_NUMBER));
  const parts = pack(row, room);
  return parts.map((operations, index) => toMessage(row, operations, index + 1, parts.length));
}

/** Keeps the order of the operations. Completed operations come first. */
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

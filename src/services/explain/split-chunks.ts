import type { NewOperation } from '../queue/new-operation.js';

export interface ChunkBounds {
  /** The maximum number of operations of a chunk. */
  limit: number;
  /** The operation that reaches this size is the last one of its chunk. */
  maxKb: number;
}

/** An operation with its place in the request. */
export interface Requested {
  index: number;
  operation: NewOperation;
}

/**
 * The chunks that workers would claim if only these operations were in the queue, and all were due: see
 * `claimOperations`. Pure.
 */
export function splitChunks<T extends Requested>(requested: readonly T[], { limit, maxKb }: ChunkBounds): T[][] {
  const chunks: T[][] = [];
  let open: T[] = [];
  let openKb = 0;
  const inOrder = [...requested].sort((a, b) => b.operation.priority - a.operation.priority || a.index - b.index);
  for (const each of inOrder) {
    if (open.length === 0) chunks.push(open);
    open.push(each);
    openKb += sizeKb(each.operation);
    if (open.length < limit && openKb < maxKb) continue;
    open = [];
    openKb = 0;
  }
  return chunks;
}

/** Nearly as the queue counts: the size of each row, rounded down, plus one. */
const sizeKb = ({ row }: NewOperation): number => 1 + Math.floor(Buffer.byteLength(row) / 1024);

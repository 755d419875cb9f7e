import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

/** Random bytes are drawn for many ids at once: a call for each id takes longer than all the rest of making it. */
const IDS_AT_ONCE = 256;
const ID_BYTES = 16;
const drawn = new Uint8Array(IDS_AT_ONCE * ID_BYTES);
let used = IDS_AT_ONCE;

/** A UUID of version 7 for an operation that was sent without one. Ids of the same millisecond are in no order. */
export function makeId(): string {
  if (used === IDS_AT_ONCE) {
    randomFillSync(drawn);
    used = 0;
  }
  const random = drawn.subarray(used * ID_BYTES, (used + 1) * ID_BYTES);
  used += 1;
  return v7({ random });
}

import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

/** Random bytes are drawn for many ids at once: a call for each id takes as long as writing an operation as JSON. */
const IDS_AT_ONCE = 256;
const ID_BYTES = 16;
const drawn = new Uint8Array(IDS_AT_ONCE * ID_BYTES);
let used = IDS_AT_ONCE;

let msecs = 0;
let seq = 0;

/** A UUID of version 7, greater than all that were made in this process before. */
export function makeId(): string {
  if (used === IDS_AT_ONCE) {
    randomFillSync(drawn);
    used = 0;
  }
  const random = drawn.subarray(used * ID_BYTES, (used + 1) * ID_BYTES);
  used += 1;
  const now = Date.now();
  if (now > msecs) {
    msecs = now;
    // 31 bits, so that it can be counted up without an overflow for two thousand million ids.
    seq = (random[6]! & 0x7f) * 2 ** 24 + random[7]! * 2 ** 16 + random[8]! * 2 ** 8 + random[9]!;
  } else {
    seq += 1;
  }
  return v7({ random, msecs, seq });
}

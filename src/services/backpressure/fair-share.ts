/** A queue at one moment: how many operations may wait, how many wait, and the share of one party in percent. */
export interface Room {
  limit: number;
  waiting: number;
  share: number;
}

/**
 * True when a party with `used` waiting operations has used up its share: `share / (100 - share)` times the free room.
 * For a party alone, this is `share` percent of the limit. Each further party makes the shares smaller, and some room
 * is always left for the next one. (A. K. Choudhury and E. L. Hahne, Dynamic Queue Length Thresholds for Shared-Memory
 * Packet Switches, 1998.)
 *
 * @param mark compares with this fraction of the share: 1, or less
 */
export function hasItsShare({ limit, waiting, share }: Room, used: number, mark = 1): boolean {
  return (100 - share) * used >= share * mark * Math.max(0, limit - waiting);
}

/** While this is false, no party can have used up its share. */
export function isCrowded({ limit, waiting, share }: Room, mark = 1): boolean {
  return 100 * waiting >= share * mark * limit;
}

/** How many operations of a party must leave the queue until it has less than `mark` of its share. */
export function excessOf({ limit, waiting, share }: Room, used: number, mark: number): number {
  return ((100 - share) * used - share * mark * Math.max(0, limit - waiting)) / 100;
}

/** How many more operations a party with `used` waiting operations may have without exceeding its share. */
export function roomOf({ limit, waiting, share }: Room, used: number): number {
  return Math.max(0, Math.ceil((share * (limit - waiting) - (100 - share) * used) / 100));
}

/** A scheduled operation that is due. */
export interface DueOperation {
  seq: number;
  lane: number;
  party: number;
}

/**
 * Chooses which of the due operations become pending now. No party gets more than its share, and all parties together
 * leave room for others. Within a lane no operation overtakes another: if one must wait, all later ones of its lane
 * wait.
 *
 * @param due in the order in which they become pending
 * @param usedBy how many operations of each party are pending
 */
export function chooseReleases(
  due: readonly DueOperation[],
  room: Room,
  usedBy: ReadonlyMap<number, number>,
): number[] {
  const chosen: number[] = [];
  const blocked = new Set<number>();
  const left = new Map<number, number>();
  const most = roomOf(room, 0);
  for (const { seq, lane, party } of due) {
    if (chosen.length >= most) break;
    const mine = left.get(party) ?? roomOf(room, usedBy.get(party) ?? 0);
    if (mine <= 0) blocked.add(lane);
    if (blocked.has(lane)) continue;
    left.set(party, mine - 1);
    chosen.push(seq);
  }
  return chosen;
}

export const LANES = 64;

/** The lane of each table (`Table.id`), from 0 to `LANES - 1`. */
export type LaneMap = ReadonlyMap<string, number>;

/**
 * Gives a lane to each table. All tables of a group get the lane in which most of them are. A group without a lane gets
 * the lane with the fewest groups. The reason is that all operations of a lane wait for one another.
 *
 * @param groups `Table.group` of each existing table. A dropped table is not among them and keeps its lane
 */
export function assignLanes(groups: ReadonlyMap<string, string>, assigned: LaneMap): LaneMap {
  const lanes = lanesOfGroups(groups, assigned);
  const loads = loadsOf(lanes);
  for (const group of new Set(groups.values())) {
    if (lanes.has(group)) continue;
    const lane = emptiest(loads);
    lanes.set(group, lane);
    loads[lane]! += 1;
  }
  return lanesOfTables(groups, lanes);
}

/**
 * The lanes in which tables should be: one lane for all tables of a group, and the groups spread evenly. It moves as
 * few groups as possible.
 *
 * @param groups `Table.group` of each table
 * @param assigned the lane of each of these tables now
 */
export function spreadLanes(groups: ReadonlyMap<string, string>, assigned: LaneMap): LaneMap {
  const lanes = lanesOfGroups(groups, assigned);
  const loads = loadsOf(lanes);
  for (const [group, lane] of lanes) {
    const other = emptiest(loads);
    if (loads[lane]! - loads[other]! < 2) continue;
    lanes.set(group, other);
    loads[lane]! -= 1;
    loads[other]! += 1;
  }
  return lanesOfTables(groups, lanes);
}

/** The lane in which most tables of a group are, for each group that is in any. */
function lanesOfGroups(groups: ReadonlyMap<string, string>, assigned: LaneMap): Map<string, number> {
  const counts = new Map<string, number[]>();
  for (const [table, group] of groups) {
    const lane = assigned.get(table);
    if (lane === undefined) continue;
    const count = counts.get(group) ?? noLoads();
    count[lane]! += 1;
    counts.set(group, count);
  }
  return new Map([...counts].map(([group, count]) => [group, count.indexOf(Math.max(...count))]));
}

function lanesOfTables(groups: ReadonlyMap<string, string>, lanes: ReadonlyMap<string, number>): LaneMap {
  return new Map([...groups].map(([table, group]) => [table, lanes.get(group)!]));
}

/** The number of groups in each lane. */
function loadsOf(lanes: ReadonlyMap<string, number>): number[] {
  const loads = noLoads();
  for (const lane of lanes.values()) loads[lane]! += 1;
  return loads;
}

const noLoads = (): number[] => Array<number>(LANES).fill(0);

const emptiest = (loads: readonly number[]): number => loads.indexOf(Math.min(...loads));

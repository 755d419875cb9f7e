import type { ILane, LaneState as OwnLaneState } from '../../../src/interfaces/lane.js';
import type { IPause } from '../../../src/interfaces/pause.js';
import { listLanes, listPauses } from '../api/endpoints.js';
import { useResource, type Resource } from './resource.js';

export type LaneState = OwnLaneState | 'paused';

/** A lane with the pauses that hold it. */
export interface LaneNow extends Omit<ILane, 'state'> {
  state: LaneState;
  pauses: IPause[];
}

const POLL_MS = 3000;

/** The lanes, each with the pauses that hold it. */
export function useLanes(): Resource<LaneNow[]> {
  return useResource(
    'lanes',
    async (stop) => {
      const [lanes, pauses] = await Promise.all([listLanes(stop), listPauses(stop)]);
      return lanes.map((lane) => withPauses(lane, pauses));
    },
    { pollMs: POLL_MS },
  );
}

/** A drained lane goes on. That of a source too: only the operations of the source wait. */
function withPauses(lane: ILane, all: readonly IPause[]): LaneNow {
  const pauses = all.filter(
    ({ kind, name, drain }) =>
      !drain && (kind === 'lane' ? name === String(lane.lane) : kind === 'target' && lane.targets.includes(name)),
  );
  const paused = pauses.length > 0 && (lane.state === 'idle' || lane.state === 'waiting');
  return { ...lane, pauses, ...(paused && { state: 'paused' }) };
}

export const standsStill = ({ state }: LaneNow): boolean =>
  state === 'blocked' || state === 'parked' || state === 'closed' || state === 'paused';

import type { IPause } from '../../../src/interfaces/pause.js';
import type { ILane } from '../api/contract.js';
import { listLanes, listPauses } from '../api/endpoints.js';
import { useResource, type Resource } from './resource.js';

const POLL_MS = 3000;

/** The lanes, each with the pauses that hold it. */
export function useLanes(): Resource<ILane[]> {
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
function withPauses(lane: ILane, all: readonly IPause[]): ILane {
  const pauses = all.filter(
    ({ kind, name, drain }) =>
      !drain && (kind === 'lane' ? name === String(lane.lane) : kind === 'target' && lane.targets.includes(name)),
  );
  if (pauses.length === 0) return lane;
  const goesOn = lane.state === 'idle' || lane.state === 'waiting';
  return { ...lane, pauses, ...(goesOn && { state: 'paused' }) };
}

export const standsStill = ({ state }: ILane): boolean =>
  state === 'blocked' || state === 'parked' || state === 'paused';

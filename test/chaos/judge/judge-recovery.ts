import { POSTGRES, RABBITMQ, type Incident, type IncidentKind, type Period, type Timeline } from '../timeline.js';
import type { Observations } from './observations.js';
import type { Violation } from './violation.js';

/** How long after each incident of a kind the first chunk was committed, in milliseconds, ascending. */
export type Recoveries = ReadonlyMap<IncidentKind, readonly number[]>;

export interface RecoveryVerdict {
  recoveries: Recoveries;
  /** Incidents after which something else went down before the bound was over, again and again until the end. */
  unjudged: number;
  violations: Violation[];
}

/**
 * From "it is up again" to the first commit of a chunk. Callers never stop, so work waits all the time. The clock runs only while
 * everything is there that takes an operation to its end: PostgreSQL, an api, a worker; after an outage of RabbitMQ also that, and
 * what counts then is an operation that came by RPC.
 *
 * @param until when the callers stopped
 */
export function judgeRecovery(
  timeline: Timeline,
  { chunksAt, rpcStoredAt }: Pick<Observations, 'chunksAt' | 'rpcStoredAt'>,
  boundMs: number,
  until: number,
): RecoveryVerdict {
  const recoveries = new Map<IncidentKind, number[]>();
  const violations: Violation[] = [];
  let unjudged = 0;
  for (const incident of timeline.incidents) {
    const byRpc = incident.kind === 'RabbitMQ killed';
    const committedAfter = (from: number): number => {
      const stored = byRpc ? firstFrom(rpcStoredAt, from) : from;
      return firstFrom(chunksAt, stored);
    };
    const recovered = recoveryOf(incident, periodsOf(timeline, byRpc, until), committedAfter, boundMs);
    if (recovered === undefined) {
      unjudged += 1;
      continue;
    }
    recoveries.set(incident.kind, [...(recoveries.get(incident.kind) ?? []), recovered]);
    if (recovered <= boundMs) continue;
    const at = new Date(incident.upAt).toISOString();
    violations.push({ kind: 'slow recovery', what: `${incident.kind}, up at ${at}: ${Math.round(recovered)} ms` });
  }
  for (const times of recoveries.values()) times.sort((a, b) => a - b);
  return { recoveries, unjudged, violations };
}

function periodsOf(timeline: Timeline, byRpc: boolean, until: number): Period[] {
  const api = (component: string) => component.startsWith('api');
  const worker = (component: string) => component.startsWith('worker');
  const server = (name: string) => (component: string) => component === name;
  return timeline.ableFrom([server(POSTGRES), api, worker, ...(byRpc ? [server(RABBITMQ)] : [])], until);
}

/** Undefined when no period after it was long enough to tell. */
function recoveryOf(
  { upAt }: Incident,
  periods: readonly Period[],
  committedAfter: (from: number) => number,
  boundMs: number,
): number | undefined {
  for (const { from, to } of periods) {
    if (to <= upAt) continue;
    const since = Math.max(from, upAt);
    const committed = committedAfter(since);
    if (committed <= to) return committed - since;
    if (to - since > boundMs) return to - since;
  }
  return undefined;
}

/** The first of ascending times that is not before `from`. */
function firstFrom(times: readonly number[], from: number): number {
  return times[lowerBound(times, from)] ?? Infinity;
}

function lowerBound(times: readonly number[], from: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

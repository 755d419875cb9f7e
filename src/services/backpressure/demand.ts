import { isSource } from '../access/sources.js';
import { partyOf } from './party.js';

/** What waits to be executed, and what waits for its `runAt`. Each has its own limit. */
export type Backlog = 'pending' | 'scheduled';

/** The operations of one request that belong to the same backlog and the same party. */
export interface Demand {
  backlog: Backlog;
  party: number;
  /** The name of the party in a refusal. */
  owner: string;
  operations: number;
}

/**
 * Groups the operations of a request by backlog and party. The operations are not checked yet: an invalid one is
 * refused later, so its group does not matter.
 *
 * @param createdBy see `callerName`
 * @returns the demands, and the demand of each operation
 */
export function toDemands(
  requests: readonly unknown[],
  createdBy: string | undefined,
  now: number,
): { demands: Demand[]; demandOf: Demand[] } {
  const demands = new Map<string, Demand>();
  const demandOf = requests.map((request) => {
    const backlog = isScheduled(request, now) ? 'scheduled' : 'pending';
    const source = createdBy === undefined ? sourceOf(request) : undefined;
    const id = `${backlog} ${source ?? ''}`;
    const known = demands.get(id);
    const demand = known ?? {
      backlog,
      party: partyOf(createdBy, source),
      owner: ownerName(createdBy, source),
      operations: 0,
    };
    if (known === undefined) demands.set(id, demand);
    demand.operations += 1;
    return demand;
  });
  return { demands: [...demands.values()], demandOf };
}

function isScheduled(request: unknown, now: number): boolean {
  const runAt = textOf(request, 'runAt');
  return runAt !== undefined && Date.parse(runAt) > now;
}

/** Ignores an invalid source, because it may be megabytes long, and its operation is refused later. */
function sourceOf(request: unknown): string | undefined {
  const source = textOf(request, 'source');
  return source !== undefined && isSource(source) ? source : undefined;
}

function textOf(request: unknown, field: 'source' | 'runAt'): string | undefined {
  if (typeof request !== 'object' || request === null) return undefined;
  const value = (request as Partial<Record<typeof field, unknown>>)[field];
  return typeof value === 'string' ? value : undefined;
}

function ownerName(createdBy: string | undefined, source: string | undefined): string {
  if (createdBy !== undefined) return createdBy;
  return source === undefined ? 'unknown callers' : `source ${source}`;
}

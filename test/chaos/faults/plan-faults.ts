import type { Random } from '../../../src/demo/random.js';

/** How often each. */
export interface FaultCounts {
  /** `kill -9` of a random process of the service. */
  kills: number;
  /** Crashes of PostgreSQL, and as many of RabbitMQ. */
  restarts: number;
  /** A random process stands still for a while. */
  pauses: number;
  /** All connections to the broker are reset, those of the service or those of the callers. */
  cuts: number;
}

export type Fault =
  /** `starting`: of any process, one that is not up yet as well. */
  | { kind: 'kill'; starting: boolean }
  | { kind: 'crash PostgreSQL'; downMs: number }
  | { kind: 'kill RabbitMQ'; downMs: number }
  | { kind: 'pause'; ms: number }
  | { kind: 'cut'; side: 'service' | 'callers' };

export interface PlannedFault {
  fault: Fault;
  /** Since the one before. */
  afterMs: number;
}

const DOWN_MS = { least: 0, most: 1500 };
/** A process that starts has little to lose, and takes longer to start than it takes to choose the next victim. */
const STARTING_SHARE = 0.25;
const PAUSE_MS = { least: 200, most: 3000 };

/** The faults of a run, in random order and at random distances, `gapMs` on average. */
export function planFaults(
  { kills, restarts, pauses, cuts }: FaultCounts,
  gapMs: number,
  random: Random,
): PlannedFault[] {
  const downMs = () => random.integer(DOWN_MS.least, DOWN_MS.most);
  const faults = [
    ...times(kills, (): Fault => ({ kind: 'kill', starting: random.next() < STARTING_SHARE })),
    ...times(restarts, (): Fault => ({ kind: 'crash PostgreSQL', downMs: downMs() })),
    ...times(restarts, (): Fault => ({ kind: 'kill RabbitMQ', downMs: downMs() })),
    ...times(pauses, (): Fault => ({ kind: 'pause', ms: random.integer(PAUSE_MS.least, PAUSE_MS.most) })),
    ...times(cuts, (): Fault => ({ kind: 'cut', side: random.pick(['service', 'callers']) })),
  ];
  return shuffled(faults, random).map((fault) => ({ fault, afterMs: random.integer(0, 2 * gapMs) }));
}

const times = (count: number, make: () => Fault): Fault[] => Array.from({ length: count }, make);

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const rest = [...items];
  return items.map(() => rest.splice(random.integer(0, rest.length - 1), 1)[0]!);
}

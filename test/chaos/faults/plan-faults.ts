import type { Random } from '../../support/random.js';

/** How often each. */
export interface FaultCounts {
  /** `kill -9` of a random process of the service. */
  kills: number;
  /** Crashes of PostgreSQL, every other one of them alone, and as many of RabbitMQ. */
  restarts: number;
  /** A random process is stopped for a while. */
  pauses: number;
  /** All connections to the broker are reset, those of the service or those of the callers. */
  cuts: number;
}

export type Fault =
  /** `starting`: of any process, one that is not up yet as well. */
  | { kind: 'kill'; starting: boolean }
  /** `alone`: while everything else is up and events arrive, and nothing else happens before they arrive again. */
  | { kind: 'crash PostgreSQL'; downMs: number; alone: boolean }
  | { kind: 'kill RabbitMQ'; downMs: number }
  | { kind: 'pause'; ms: number }
  | { kind: 'cut'; side: 'service' | 'callers' };

export interface PlannedFault {
  fault: Fault;
  /** Since the one before. */
  afterMs: number;
}

const DOWN_MS = { least: 0, most: 1500 };
/** Long enough for events to be delivered before, during and after the outage. */
const ALONE_DOWN_MS = { least: 1000, most: 2000 };
/** A process that starts has little to lose, and takes longer to start than it takes to choose the next victim. */
const STARTING_SHARE = 0.25;
const PAUSE_MS = { least: 200, most: 3000 };

/** The faults of a run, in random order and at random distances, `gapMs` on average. */
export function planFaults(
  { kills, restarts, pauses, cuts }: FaultCounts,
  gapMs: number,
  random: Random,
): PlannedFault[] {
  const downMs = ({ least, most }: typeof DOWN_MS) => random.integer(least, most);
  const faults = [
    ...times(kills, (): Fault => ({ kind: 'kill', starting: random.next() < STARTING_SHARE })),
    ...times(restarts, (index): Fault => {
      const alone = index % 2 === 0;
      return { kind: 'crash PostgreSQL', downMs: downMs(alone ? ALONE_DOWN_MS : DOWN_MS), alone };
    }),
    ...times(restarts, (): Fault => ({ kind: 'kill RabbitMQ', downMs: downMs(DOWN_MS) })),
    ...times(pauses, (): Fault => ({ kind: 'pause', ms: random.integer(PAUSE_MS.least, PAUSE_MS.most) })),
    ...times(cuts, (): Fault => ({ kind: 'cut', side: random.pick(['service', 'callers']) })),
  ];
  return shuffled(faults, random).map((fault) => ({ fault, afterMs: random.integer(0, 2 * gapMs) }));
}

const times = (count: number, make: (index: number) => Fault): Fault[] =>
  Array.from({ length: count }, (_, index) => make(index));

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const rest = [...items];
  return items.map(() => rest.splice(random.integer(0, rest.length - 1), 1)[0]!);
}

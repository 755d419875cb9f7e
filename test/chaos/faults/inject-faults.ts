import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../support/random.js';
import { eventually } from '../../support/eventually.js';
import type { Fleet } from '../fleet/fleet.js';
import type { Member } from '../fleet/member.js';
import type { Surroundings } from '../servers/surroundings.js';
import { POSTGRES, RABBITMQ, type Component, type IncidentKind, type Timeline } from '../timeline.js';
import type { Fault, PlannedFault } from './plan-faults.js';

export interface FaultTarget {
  fleet: Fleet;
  surroundings: Surroundings;
  timeline: Timeline;
  random: Random;
  /** Waits until events take effect that were published after the call, some of each publisher. False: it has given up. */
  eventsArrive: () => Promise<boolean>;
  /** Told of each fault: `kill worker`, `kill starting api`, `crash PostgreSQL alone`. */
  onFault: (fault: string) => void;
}

interface Server {
  stop(): Promise<void>;
  restart(): Promise<void>;
}

/** As they are counted. */
export const CRASH = 'crash PostgreSQL';
export const CRASH_ALONE = 'crash PostgreSQL alone';

const UP_TIMEOUT_MS = 90_000;

/** Lets the planned faults happen. Resolves when the last one is over: what was stopped is up, or being started by its fleet. */
export async function injectFaults(
  planned: readonly PlannedFault[],
  target: FaultTarget,
  signal: AbortSignal,
): Promise<void> {
  const { fleet, surroundings, random, eventsArrive, onFault } = target;
  const postgres = serverFaults(
    { stop: () => surroundings.postgres.crash(), restart: () => surroundings.postgres.restart() },
    { component: POSTGRES, incident: 'PostgreSQL crashed', timeline: target.timeline },
  );
  const rabbitmq = serverFaults(
    { stop: () => surroundings.rabbitmq.kill(), restart: () => surroundings.rabbitmq.restart() },
    { component: RABBITMQ, incident: 'RabbitMQ killed', timeline: target.timeline },
  );
  /** What takes its time, while the next faults happen. */
  const underWay: Promise<void>[] = [];
  const allOver = async (): Promise<void> => {
    await Promise.all([...underWay, postgres.over(), rabbitmq.over()]);
  };
  /** An outage of PostgreSQL shows nothing of events while RabbitMQ or the apis are away, and they come back slowly. */
  const crashAlone = async (downMs: number): Promise<string> => {
    await allOver();
    await fleet.allUp();
    const arrived = await eventsArrive();
    await postgres.down(downMs);
    await postgres.over();
    // If none arrive, the judge finds what is missing.
    await eventsArrive();
    return arrived ? CRASH_ALONE : CRASH;
  };

  const inject = async (fault: Fault): Promise<string> => {
    switch (fault.kind) {
      case 'kill': {
        const victim = random.pick(
          await eventually(() => victims(fleet, fault.starting), { timeoutMs: UP_TIMEOUT_MS }),
        );
        const state = victim.up ? '' : 'starting ';
        victim.kill();
        return `kill ${state}${victim.role}`;
      }
      case 'crash PostgreSQL':
        if (fault.alone) return crashAlone(fault.downMs);
        await postgres.down(fault.downMs);
        return CRASH;
      case 'kill RabbitMQ':
        await rabbitmq.down(fault.downMs);
        return fault.kind;
      case 'pause': {
        const sleeper = random.pick(await eventually(() => victims(fleet, false), { timeoutMs: UP_TIMEOUT_MS }));
        underWay.push(sleeper.pause(fault.ms));
        return `pause ${sleeper.role}`;
      }
      case 'cut':
        (fault.side === 'service' ? surroundings.serviceProxy : surroundings.callerProxy).cut();
        return `cut ${fault.side}`;
      default:
        return fault satisfies never;
    }
  };

  for (const { fault, afterMs } of planned) {
    await delay(afterMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    onFault(await inject(fault));
  }
  await allOver();
}

/** @throws while there are none */
function victims({ members }: Fleet, starting: boolean): Member[] {
  const found = members.filter(({ alive, up }) => alive && (up || starting));
  if (found.length === 0) throw new Error('No process of the service is up');
  return found;
}

/** One server has one fault at a time: the next one waits until it is up. */
function serverFaults(
  server: Server,
  { component, incident, timeline }: { component: Component; incident: IncidentKind; timeline: Timeline },
) {
  let recovered = Promise.resolve();
  return {
    async down(ms: number): Promise<void> {
      await recovered;
      timeline.down(component);
      await server.stop();
      recovered = delay(ms)
        .then(() => server.restart())
        .then(() => timeline.up(component, incident));
      // Told by `over`, or by the next fault.
      recovered.catch(() => undefined);
    },
    over: () => recovered,
  };
}

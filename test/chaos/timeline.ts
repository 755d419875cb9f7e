/** `postgres`, `rabbitmq`, or the name of a process of the service: `api-1`, `worker-2`. */
export type Component = string;

export const POSTGRES: Component = 'postgres';
export const RABBITMQ: Component = 'rabbitmq';

export type IncidentKind = 'api killed' | 'worker killed' | 'PostgreSQL crashed' | 'RabbitMQ killed';

/** Something that was down on purpose and is up again. Times are those of `Date.now()`. */
export interface Incident {
  kind: IncidentKind;
  upAt: number;
}

interface Change {
  at: number;
  component: Component;
  up: boolean;
}

/** What was up when. The clock is that of PostgreSQL too: both are on this machine. */
export class Timeline {
  private readonly changes: Change[] = [];
  readonly incidents: Incident[] = [];

  up(component: Component, incident?: IncidentKind): void {
    const at = Date.now();
    this.changes.push({ at, component, up: true });
    if (incident !== undefined) this.incidents.push({ kind: incident, upAt: at });
  }

  down(component: Component): void {
    this.changes.push({ at: Date.now(), component, up: false });
  }

  /** The times in which the service as a whole could work: each condition is met by at least one of its components. */
  ableFrom(conditions: readonly ((component: Component) => boolean)[], until: number): Period[] {
    const upNow = new Set<Component>();
    const periods: Period[] = [];
    let since: number | undefined;
    for (const { at, component, up } of this.changes) {
      if (up) upNow.add(component);
      else upNow.delete(component);
      const able = conditions.every((condition) => [...upNow].some(condition));
      if (able && since === undefined) since = at;
      if (!able && since !== undefined) {
        periods.push({ from: since, to: at });
        since = undefined;
      }
    }
    if (since !== undefined) periods.push({ from: since, to: until });
    return periods;
  }
}

export interface Period {
  from: number;
  to: number;
}

import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { messageOf } from '../errors/message-of.js';
import { withTimeout } from '../observability/with-timeout.js';

/** One part of the service. */
export interface HealthContributor {
  /** Its name in the answer, for example `database`. */
  readonly name: string;
  /** True for a part that the service can work without. If it fails, the service is degraded but ready. */
  readonly optional?: boolean;
  /** Returns undefined when the part works, or else the reason why it does not. Throwing means the same. */
  check(): Promise<string | undefined> | string | undefined;
}

/** A part of this process that may stop working for ever. */
export interface LivenessContributor {
  readonly name: string;
  /**
   * Returns why only a new process would help. Undefined while this one works. Faults of other programs are not a
   * reason.
   */
  stuck(): string | undefined;
}

export interface PartHealth {
  status: 'up' | 'degraded' | 'down';
  /** Why it is not up. */
  reason?: string;
}

export interface Readiness {
  status: 'ready' | 'not_ready';
  parts: Record<string, PartHealth>;
}

export interface Liveness {
  status: 'alive' | 'stuck';
  uptimeSeconds: number;
  /** What stands still, and why. Absent while everything works. */
  reasons?: Record<string, string>;
}

/** A part that does not answer within this time is down. */
const CHECK_TIMEOUT_MS = 1000;
/** Even with frequent probes, the parts are not asked more often than this. */
const REMEMBERED_FOR_MS = 500;
/** The same for `not_ready`. A probe that came too early must not delay those who wait for the start. */
const NOT_READY_FOR_MS = 50;

/**
 * Asks the parts of the service whether they work. The parts register themselves with `register`. A process that has
 * begun to stop is not ready, so that load balancers choose other processes.
 */
@Injectable()
export class HealthService implements OnModuleDestroy {
  private stopBegun = false;
  private readonly contributors = new Map<string, HealthContributor>();
  private readonly livenessContributors = new Set<LivenessContributor>();
  private latest: { readiness: Promise<Readiness>; until: number } | undefined;

  get stopping(): boolean {
    return this.stopBegun;
  }

  /** The first step of a shutdown. */
  onModuleDestroy(): void {
    this.stopBegun = true;
    this.register({ name: 'process', check: () => 'stopping' });
  }

  /** Returns a function that removes the part again. */
  register(contributor: HealthContributor): () => void {
    this.contributors.set(contributor.name, contributor);
    this.latest = undefined;
    return () => {
      this.contributors.delete(contributor.name);
      this.latest = undefined;
    };
  }

  registerLiveness(contributor: LivenessContributor): void {
    this.livenessContributors.add(contributor);
  }

  /** Asks nothing outside of this process: a database that does not answer is no reason to restart the process. */
  liveness(): Liveness {
    const reasons = new Map<string, string>();
    for (const part of this.livenessContributors) {
      const reason = part.stuck();
      if (reason !== undefined) reasons.set(part.name, reason);
    }
    const uptimeSeconds = Math.floor(process.uptime());
    return reasons.size === 0
      ? { status: 'alive', uptimeSeconds }
      : { status: 'stuck', uptimeSeconds, reasons: Object.fromEntries(reasons) };
  }

  readiness(): Promise<Readiness> {
    if (this.latest !== undefined && performance.now() < this.latest.until) return this.latest.readiness;
    const latest = { readiness: this.askAll(), until: performance.now() + REMEMBERED_FOR_MS };
    void latest.readiness.then(({ status }) => {
      if (status === 'not_ready') latest.until = performance.now() + NOT_READY_FOR_MS;
    });
    this.latest = latest;
    return latest.readiness;
  }

  private async askAll(): Promise<Readiness> {
    const checked = await Promise.all(
      [...this.contributors.values()].map(async (part) => [part.name, await healthOf(part)] as const),
    );
    const ready = checked.every(([, { status }]) => status !== 'down');
    return { status: ready ? 'ready' : 'not_ready', parts: Object.fromEntries(checked) };
  }
}

async function healthOf(part: HealthContributor): Promise<PartHealth> {
  const reason = await reasonOf(part);
  if (reason === undefined) return { status: 'up' };
  return { status: part.optional === true ? 'degraded' : 'down', reason };
}

async function reasonOf(part: HealthContributor): Promise<string | undefined> {
  try {
    return await withTimeout(Promise.resolve(part.check()), CHECK_TIMEOUT_MS);
  } catch (error) {
    return messageOf(error);
  }
}

import { Injectable } from '@nestjs/common';
import { withTimeout } from '../observability/with-timeout.js';

/** One part of the service. */
export interface HealthContributor {
  /** As it appears in the answer, e.g. `database`. */
  readonly name: string;
  /** True for a part that the service can do without: it is then degraded, and ready all the same. */
  readonly optional?: boolean;
  /** Answers undefined when the part is well, else the reason why it is not; throwing says the same. */
  check(): Promise<string | undefined> | string | undefined;
}

/** Something in this process that may come to a halt for good. */
export interface LivenessContributor {
  readonly name: string;
  /** Answers why only a new process would help; undefined while this one does. What others do or fail to do is no reason. */
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
  /** What stands still, and why; absent while nothing does. */
  reasons?: Record<string, string>;
}

/** A part that says nothing for so long is down. */
const CHECK_TIMEOUT_MS = 1000;
/** However often it is probed, the parts are asked no more often. */
const REMEMBERED_FOR_MS = 500;

/** Asks the parts of the service how they are. Which parts there are, they say themselves, by `register`. */
@Injectable()
export class HealthService {
  private readonly contributors = new Map<string, HealthContributor>();
  private readonly livenessContributors = new Set<LivenessContributor>();
  private latest: { readiness: Promise<Readiness>; at: number } | undefined;

  /** Answers a function that takes the part out again. */
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

  /** Asks nobody outside of this process: that the database is gone is no reason to start the process anew. */
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
    if (this.latest === undefined || performance.now() - this.latest.at > REMEMBERED_FOR_MS) {
      this.latest = { readiness: this.askAll(), at: performance.now() };
    }
    return this.latest.readiness;
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
    return describe(error);
  }
}

/** Node hides why a connection was refused in an AggregateError without a message. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ('code' in error && String(error.code)) || error.name;
}

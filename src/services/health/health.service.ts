import { Injectable } from '@nestjs/common';
import { withTimeout } from '../observability/with-timeout.js';

/** One part that the service cannot do without. */
export interface HealthContributor {
  /** As it appears in the answer, e.g. `database`. */
  readonly name: string;
  /** Answers undefined when the part is well, else the reason why it is not; throwing says the same. */
  check(): Promise<string | undefined> | string | undefined;
}

export interface PartHealth {
  status: 'up' | 'down';
  /** Why it is down. */
  reason?: string;
}

export interface Readiness {
  status: 'ready' | 'not_ready';
  parts: Record<string, PartHealth>;
}

/** A part that says nothing for so long is down. */
const CHECK_TIMEOUT_MS = 1000;

/** Asks the parts of the service how they are. Which parts there are, they say themselves, by `register`. */
@Injectable()
export class HealthService {
  private readonly contributors = new Map<string, HealthContributor>();

  /** Answers a function that takes the part out again. */
  register(contributor: HealthContributor): () => void {
    this.contributors.set(contributor.name, contributor);
    return () => void this.contributors.delete(contributor.name);
  }

  async readiness(): Promise<Readiness> {
    const checked = await Promise.all(
      [...this.contributors.values()].map(async (part) => [part.name, await healthOf(part)] as const),
    );
    const ready = checked.every(([, { status }]) => status === 'up');
    return { status: ready ? 'ready' : 'not_ready', parts: Object.fromEntries(checked) };
  }
}

async function healthOf(part: HealthContributor): Promise<PartHealth> {
  try {
    const reason = await withTimeout(Promise.resolve(part.check()), CHECK_TIMEOUT_MS);
    return reason === undefined ? { status: 'up' } : { status: 'down', reason };
  } catch (error) {
    return { status: 'down', reason: describe(error) };
  }
}

/** Node hides why a connection was refused in an AggregateError without a message. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ('code' in error && String(error.code)) || error.name;
}

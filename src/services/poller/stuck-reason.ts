import type { Poller } from './poller.js';

/** Why a poller no longer works, as far as the process itself can see. Undefined while it works. */
export function stuckReason({ pollingForMs, overdueMs }: Poller, timeoutMs: number): string | undefined {
  if (pollingForMs !== undefined && pollingForMs > timeoutMs) {
    return `a poll has been running for ${seconds(pollingForMs)}, longer than BATCH_STUCK_TIMEOUT allows`;
  }
  if (overdueMs > timeoutMs) return `the next poll should have begun ${seconds(overdueMs)} ago`;
  return undefined;
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

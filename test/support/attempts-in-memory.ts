import type { AttemptLog } from '../../src/controllers/rpc/suspects.js';

/** Where a test without a database records the attempts at messages that came back. */
export class AttemptsInMemory implements AttemptLog {
  private readonly attempts = new Map<string, number>();

  count(fingerprints: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return Promise.resolve(new Map([...this.attempts].filter(([fingerprint]) => fingerprints.includes(fingerprint))));
  }

  begin(fingerprints: readonly string[]): Promise<void> {
    for (const fingerprint of new Set(fingerprints)) {
      this.attempts.set(fingerprint, (this.attempts.get(fingerprint) ?? 0) + 1);
    }
    return Promise.resolve();
  }

  conclude(fingerprints: readonly string[]): Promise<void> {
    for (const fingerprint of fingerprints) this.attempts.delete(fingerprint);
    return Promise.resolve();
  }
}

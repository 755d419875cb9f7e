import type { Access } from './access.js';

/** How long a revoked key is still accepted. A busy caller costs one query in this time. */
export const REVOCATION_DELAY_MS = 3000;

/** What is stored of an API key. */
export interface Credential {
  id: string;
  secretHash: Buffer;
  expiresAt: Date | null;
  revokedAt: Date | null;
  access: Access;
}

export interface CredentialCacheOptions {
  /** Returns the credentials that exist among these ids. */
  load: (ids: string[]) => Promise<readonly Credential[]>;
  /** How long a credential is used after it was read. The same applies to unknown ids. */
  ttlMs: number;
  /** The maximum number of credentials, and also of unknown ids. Beyond it the oldest entry is removed. */
  limit: number;
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
}

interface Entry {
  credential: Credential | undefined;
  until: number;
}

/**
 * Remembers credentials for a short time. It promises that all callers share one query at a time, so callers with
 * invented keys use at most one connection. Its memory is bounded, and unknown ids do not displace remembered
 * credentials.
 */
export class CredentialCache {
  private readonly known = new Map<string, Entry>();
  private readonly unknown = new Map<string, Entry>();
  private readonly now: () => number;
  private asked = new Set<string>();
  private running: Promise<unknown> = Promise.resolve();
  private next: Promise<Map<string, Credential>> | undefined;

  constructor(private readonly options: CredentialCacheOptions) {
    this.now = options.now ?? (() => performance.now());
  }

  get size(): number {
    return this.known.size + this.unknown.size;
  }

  /** @throws any error that `load` throws */
  async find(id: string): Promise<Credential | undefined> {
    const entry = this.known.get(id) ?? this.unknown.get(id);
    if (entry !== undefined && entry.until > this.now()) return entry.credential;
    this.asked.add(id);
    this.next ??= this.loadNext();
    return (await this.next).get(id);
  }

  private async loadNext(): Promise<Map<string, Credential>> {
    // Only the callers of that query get its error.
    await this.running.catch(() => undefined);
    const ids = [...this.asked];
    this.asked = new Set();
    const loaded = this.load(ids);
    this.running = loaded;
    this.next = undefined;
    return loaded;
  }

  private async load(ids: string[]): Promise<Map<string, Credential>> {
    // The time counts from before the query. Otherwise a revocation that the query did not see would take effect too
    // late.
    const until = this.now() + this.options.ttlMs;
    const found = new Map((await this.options.load(ids)).map((credential) => [credential.id, credential]));
    for (const id of ids) this.remember(id, { credential: found.get(id), until });
    return found;
  }

  private remember(id: string, entry: Entry): void {
    this.known.delete(id);
    this.unknown.delete(id);
    const entries = entry.credential === undefined ? this.unknown : this.known;
    entries.set(id, entry);
    if (entries.size <= this.options.limit) return;
    const [oldest] = entries.keys();
    if (oldest !== undefined) entries.delete(oldest);
  }
}

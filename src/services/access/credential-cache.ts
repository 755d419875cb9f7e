import type { Access } from './access.js';

/** What is stored of a key. */
export interface Credential {
  id: string;
  secretHash: Buffer;
  expiresAt: Date | null;
  revokedAt: Date | null;
  access: Access;
}

export interface CredentialCacheOptions {
  /** The credentials among these ids that there are. */
  load: (ids: readonly string[]) => Promise<readonly Credential[]>;
  /** How long what was read counts, ids that are unknown too. */
  ttlMs: number;
  /** Entries at most, of credentials and of ids that are unknown, each; the oldest goes. */
  limit: number;
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
}

interface Entry {
  credential: Credential | undefined;
  until: number;
}

/**
 * Credentials as they were a moment ago. It promises one query at a time for all who ask meanwhile, so that callers with made-up
 * keys take no more than one connection from the others, a bounded memory, and no place of a credential that is remembered.
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

  /** @throws what `load` throws */
  async find(id: string): Promise<Credential | undefined> {
    const entry = this.known.get(id) ?? this.unknown.get(id);
    if (entry !== undefined && entry.until > this.now()) return entry.credential;
    this.asked.add(id);
    this.next ??= this.loadNext();
    return (await this.next).get(id);
  }

  private async loadNext(): Promise<Map<string, Credential>> {
    // Its failure is told to those who asked for it.
    await this.running.catch(() => undefined);
    const ids = [...this.asked];
    this.asked = new Set();
    const loaded = this.load(ids);
    this.running = loaded;
    this.next = undefined;
    return loaded;
  }

  private async load(ids: readonly string[]): Promise<Map<string, Credential>> {
    // From before the query: a revocation that it does not see yet is seen in time.
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

/** A token is renewed so long before it expires. */
const MARGIN_MS = 60_000;
/** The part of the life of a short-lived token that counts as its end. */
const MARGIN_SHARE = 0.1;

export interface AccessToken {
  value: string;
  /** Undefined: it is used until a server refuses it. */
  lifeMs: number | undefined;
}

/**
 * Keeps an access token until shortly before it expires. While a new one is fetched, all callers wait for the same one. The fetch belongs
 * to no caller, so a caller who gives up ends nothing for the others.
 */
export class AccessTokens {
  private current: { value: string; renewAt: number } | undefined;
  private pending: Promise<string> | undefined;

  /**
   * @param fetchToken has a time limit of its own
   * @param now milliseconds
   */
  constructor(
    private readonly fetchToken: () => Promise<AccessToken>,
    private readonly now: () => number = Date.now,
  ) {}

  /** @throws what `fetchToken` throws, to all who wait for it */
  async get(): Promise<string> {
    if (this.current !== undefined && this.now() < this.current.renewAt) return this.current.value;
    this.pending ??= this.renew().finally(() => (this.pending = undefined));
    return this.pending;
  }

  /** A server has refused this token: it is not used again. A newer one stays. */
  forget(value: string): void {
    if (this.current?.value === value) this.current = undefined;
  }

  private async renew(): Promise<string> {
    const asked = this.now();
    const { value, lifeMs = Infinity } = await this.fetchToken();
    this.current = { value, renewAt: asked + lifeMs - Math.min(MARGIN_MS, lifeMs * MARGIN_SHARE) };
    return value;
  }
}

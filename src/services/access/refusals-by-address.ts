import { isIP } from 'node:net';

/** Further addresses are counted together, so that memory stays bounded. */
const MOST_ADDRESSES = 10_000;
const THE_OTHERS = '';

export interface RefusalLimits {
  /** Refusals that an address may have in each window. 0: no limit. */
  limit: number;
  windowMs: number;
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
}

/**
 * Counts, for each address, the requests that were refused because they had no valid API key. Requests with a valid key
 * are not counted, because their caller may share a proxy's address with others. The memory is bounded, while
 * `RateLimiterMemory` would remember any number of addresses.
 */
export class RefusalsByAddress {
  private readonly counts = new Map<string, number>();
  private windowEndsAt = -Infinity;
  private readonly now: () => number;

  constructor(private readonly limits: RefusalLimits) {
    this.now = limits.now ?? (() => performance.now());
  }

  /** @returns how many milliseconds the address has to wait; undefined while it is within its limit */
  count(address: string): number | undefined {
    const { limit, windowMs } = this.limits;
    if (limit === 0) return undefined;
    const now = this.now();
    if (now >= this.windowEndsAt) {
      this.counts.clear();
      this.windowEndsAt = now + windowMs;
    }
    const network = networkOf(address);
    const counted = this.counts.has(network) || this.counts.size < MOST_ADDRESSES ? network : THE_OTHERS;
    const refused = (this.counts.get(counted) ?? 0) + 1;
    this.counts.set(counted, refused);
    return refused <= limit ? undefined : this.windowEndsAt - now;
  }
}

const MAPPED_IPV4 = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i;
const GROUPS = 8;

/**
 * The unit that is counted: an IPv4 address or an IPv6 network of 64 bits, because an IPv6 caller usually has a whole
 * one.
 */
function networkOf(address: string): string {
  const [, mapped] = MAPPED_IPV4.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  if (isIP(address) === 6) return firstGroups(address);
  return isIP(address) === 4 ? address : THE_OTHERS;
}

function firstGroups(address: string): string {
  const [before = '', after = ''] = address.toLowerCase().split('::');
  const [head, tail] = [before, after].map((part) => part.split(':').filter(Boolean)) as [string[], string[]];
  const zeros = Array<string>(Math.max(0, GROUPS - head.length - tail.length)).fill('0');
  return [...head, ...zeros, ...tail].slice(0, GROUPS / 2).join(':');
}

import { isIP } from 'node:net';

/** The number of proxies in front, or their addresses, subnets and names of subnets. */
export type TrustedProxies = number | string[];

const MOST_HOPS = 10;
/** The names that Express uses. */
const NAMED_SUBNETS = ['loopback', 'linklocal', 'uniquelocal'];

/**
 * Reads `1` or `10.0.0.0/8, loopback`. `true` is not accepted: it trusts every sender, so any caller could pretend any
 * address.
 */
export function trustedProxies(text: string): TrustedProxies | undefined {
  if (/^\d{1,2}$/.test(text)) return Number(text) >= 1 && Number(text) <= MOST_HOPS ? Number(text) : undefined;
  const proxies = text.split(',').map((entry) => entry.trim());
  return proxies.every(isProxy) ? proxies : undefined;
}

function isProxy(text: string): boolean {
  if (NAMED_SUBNETS.includes(text)) return true;
  const [address = '', bits, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128))
  );
}

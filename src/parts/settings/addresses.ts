import { isLoopback } from '../../interfaces/loopback.js';

/** A URL of HTTP, without user and password: `fetch` refuses these. */
export function isWebAddress(text: string): boolean {
  const { protocol, username, password } = parseUrl(text) ?? {};
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '';
}

/** A URL of HTTP that sends nothing unencrypted to another machine. */
export function isProtectedAddress(text: string): boolean {
  return isWebAddress(text) && (text.startsWith('https:') || isLoopback(new URL(text).hostname));
}

export function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** A `%` in a user or password has to be written as `%25`. */
export function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

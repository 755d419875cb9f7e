import { randomBytes } from 'node:crypto';

const FORM = /^bsk_([\w-]{16})_([\w-]{43})$/;

/** An API key in its two parts. Its text is `bsk_<id>_<secret>`. */
export interface ApiKey {
  /** Public, 16 characters. */
  id: string;
  /** 32 random bytes in base64url. */
  secret: string;
}

export function generateApiKey(): ApiKey {
  // Base64url may begin with a dash, and a command line would read that as an option. So the id is hexadecimal.
  return { id: randomBytes(8).toString('hex'), secret: randomBytes(32).toString('base64url') };
}

export function formatApiKey({ id, secret }: ApiKey): string {
  return `bsk_${id}_${secret}`;
}

/** @returns undefined when the text is no API key */
export function parseApiKey(text: string): ApiKey | undefined {
  const [, id, secret] = FORM.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

import { z } from 'zod';

const ADDRESS = z.email();
/** No angle brackets, quotes or control characters: nothing that would end the name, or begin a header. */
const NAMED = /^([^\p{C}<>"]{0,100}?) *<([^<>]+)>$/u;

/** Whether the text is one address: `ada@example.com`. */
export function isMailAddress(text: string): boolean {
  return ADDRESS.safeParse(text).success;
}

export interface Mailbox {
  name: string;
  address: string;
}

/** Reads `ada@example.com` or `Ada Lovelace <ada@example.com>`. Undefined: it is neither. */
export function parseMailbox(text: string): Mailbox | undefined {
  if (isMailAddress(text)) return { name: '', address: text };
  const [, name, address] = NAMED.exec(text) ?? [];
  return address !== undefined && isMailAddress(address) ? { name: name!.trim(), address } : undefined;
}

import { z } from 'zod';
import type { AccessToken } from './access-tokens.js';

/**
 * RFC 6749, 5.1. Some servers send the seconds as a text. A life that is no positive number counts as not told: the token is
 * good all the same.
 */
const answerSchema = z.object({
  access_token: z.string().min(1),
  expires_in: z.coerce.number().positive().optional().catch(undefined),
});

/** Reads the answer of a token endpoint. Undefined: there is no token in it. */
export function readTokenAnswer(text: string): AccessToken | undefined {
  const { data } = answerSchema.safeParse(readJson(text));
  return data && { value: data.access_token, lifeMs: data.expires_in && data.expires_in * 1000 };
}

/** Undefined: it is no JSON. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { isProtectedAddress } from '../settings/addresses.js';

/** What the file of a service account of Google says. */
export interface ServiceAccount {
  projectId: string;
  clientEmail: string;
  privateKey: KeyObject;
  privateKeyId: string | undefined;
  tokenUri: string;
}

const accountSchema = z.object({
  type: z.literal('service_account'),
  project_id: z.string().regex(/^[\w.:-]+$/),
  client_email: z.string().min(1),
  private_key: z.string().min(1),
  private_key_id: z.string().optional(),
  token_uri: z.string().refine(isProtectedAddress),
});

/**
 * Reads a service account.
 *
 * @param text its JSON, or the path of a file with it
 * @returns the account, or what is wrong with it; it quotes nothing of a key
 */
export function readServiceAccount(text: string): ServiceAccount | { fault: string } {
  const isJson = text.trimStart().startsWith('{');
  let json: unknown;
  try {
    json = JSON.parse(isJson ? text : readFileSync(text, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== undefined) return { fault: `the file cannot be read (${code})` };
    return { fault: isJson ? 'it is no JSON' : 'the file holds no JSON' };
  }
  const { data, error } = accountSchema.safeParse(json);
  if (error) {
    const names = [...new Set(error.issues.map(({ path }) => path.join('.') || 'the object'))];
    return { fault: `missing or wrong: ${names.join(', ')}` };
  }
  const privateKey = readKey(data.private_key);
  if (privateKey === undefined) return { fault: 'private_key is no RSA key in PEM' };
  return {
    projectId: data.project_id,
    clientEmail: data.client_email,
    privateKey,
    privateKeyId: data.private_key_id,
    tokenUri: data.token_uri,
  };
}

function readKey(pem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(pem);
    return key.asymmetricKeyType === 'rsa' ? key : undefined;
  } catch {
    return undefined;
  }
}

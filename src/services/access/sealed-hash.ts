import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Encrypts hashes. It is derived from a secret of the service. */
export interface SealingKey {
  /** Identifies the secret and reveals nothing about it: 16 hexadecimal digits. */
  version: string;
  key: Buffer;
}

/** The stored hash of an API key's secret. It is useless without the secret of the service. */
export interface SealedHash {
  secretVersion: string;
  secretBox: Buffer;
}

export function sealingKey(secret: string): SealingKey {
  return { version: derive(secret, 'version', 8).toString('hex'), key: derive(secret, 'encryption', 32) };
}

/** The secret is random, so a slow hash would not make it safer. */
export function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** @param id the id of the API key; the hash cannot be decrypted in the row of another key */
export function sealHash({ version, key }: SealingKey, id: string, hash: Buffer): SealedHash {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(id));
  const box = Buffer.concat([iv, cipher.update(hash), cipher.final(), cipher.getAuthTag()]);
  return { secretVersion: version, secretBox: box };
}

/** @returns undefined when none of the keys has encrypted it, or when it was changed since */
export function openHash(
  keys: readonly SealingKey[],
  id: string,
  { secretVersion, secretBox: box }: SealedHash,
): Buffer | undefined {
  const sealedWith = keys.find(({ version }) => version === secretVersion);
  if (sealedWith === undefined || box.length <= IV_BYTES + TAG_BYTES) return undefined;
  const iv = box.subarray(0, IV_BYTES);
  const decipher = createDecipheriv(CIPHER, sealedWith.key, iv, { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(id))
    .setAuthTag(box.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(box.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    // This fails only if the stored bytes are not those that were encrypted.
    return undefined;
  }
}

function derive(secret: string, purpose: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `batch-service api keys: ${purpose}`, bytes));
}

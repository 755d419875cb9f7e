import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** The key that encrypts hashes. It is derived from a secret of the service. */
export interface SealingKey {
  /** Identifies the secret and reveals nothing about it: 16 hexadecimal digits. */
  version: string;
  key: Buffer;
}

/** The hash of a key's secret as it is stored. It is useless without the secret of the service. */
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

/** @param id the id of the API key; in the row of another key the hash cannot be opened */
export function sealHash({ version, key }: SealingKey, id: string, hash: Buffer): SealedHash {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(id));
  const box = Buffer.concat([iv, cipher.update(hash), cipher.final(), cipher.getAuthTag()]);
  return { secretVersion: version, secretBox: box };
}

/** @returns undefined when it was sealed with none of the keys, or was changed since */
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
    // The only possible reason for a failure is that the stored text is not the sealed one.
    return undefined;
  }
}

function derive(secret: string, purpose: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `batch-service api keys: ${purpose}`, bytes));
}

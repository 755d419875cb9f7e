/** How long a key that is revoked may still be used; a busy caller costs one query in that time. */
export const REVOCATION_DELAY_MS = 3000;

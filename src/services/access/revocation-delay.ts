/** How long a revoked key may still be used. A busy caller costs one query in this time. */
export const REVOCATION_DELAY_MS = 3000;

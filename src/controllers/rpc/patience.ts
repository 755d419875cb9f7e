/** How long a connection may be silent, in milliseconds. */
export interface Patience {
  /** Before the first byte. */
  firstMs: number;
  /** Between two requests, while none is being answered. The service's own client connects again by itself. */
  idleMs: number;
}

export const PATIENCE: Patience = { firstMs: 10_000, idleMs: 600_000 };

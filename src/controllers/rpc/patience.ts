/** How long a connection may say nothing, in milliseconds. */
export interface Patience {
  /** Before the first byte: whoever connects has something to say. */
  firstMs: number;
  /** Between two requests, while none is being answered. A caller of ours connects again by itself. */
  idleMs: number;
}

export const PATIENCE: Patience = { firstMs: 10_000, idleMs: 600_000 };

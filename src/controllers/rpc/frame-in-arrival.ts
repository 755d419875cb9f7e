import type { InFlightBudget, Release } from '../../services/backpressure/in-flight-budget.js';
import type { UnreadFrame } from './frame-scanner.js';

/** Counted from its first byte, however steadily the rest arrives. A request over REST may take the same time. */
export const FRAME_TIMEOUT_MS = 60_000;

/**
 * Not counted, about as much as one read brings: a small request is refused with its own id when it is complete. The
 * number of connections limits the sum of this.
 */
const FREE_BYTES = 64 * 1024;

/**
 * It is known only from a complete frame who sent it. Until then all callers are one party, which cannot keep out those
 * of REST.
 */
const UNKNOWN_CALLERS = Symbol('callers whose frames are not whole');

/** What a connection uses of the process while its current frame is incomplete: memory and time. */
export class FrameInArrival {
  private ordinal: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private held: Release | undefined;

  /** @param onLate is called once for a frame that is not complete in time */
  constructor(
    private readonly budget: InFlightBudget,
    private readonly onLate: () => void,
  ) {}

  /**
   * Counts what has arrived of a frame, instead of what was counted before. Undefined: no frame has begun.
   *
   * @throws ServiceError OVERLOADED
   */
  count(frame: UnreadFrame | undefined): void {
    this.release();
    if (frame?.ordinal !== this.ordinal) this.watch(frame?.ordinal);
    if (frame !== undefined && frame.arrived > FREE_BYTES) this.held = this.budget.take(frame.arrived, UNKNOWN_CALLERS);
  }

  /** Call it before a complete frame is counted as a request. */
  release(): void {
    this.held?.();
    this.held = undefined;
  }

  private watch(ordinal: number | undefined): void {
    clearTimeout(this.timer);
    this.ordinal = ordinal;
    this.timer = ordinal === undefined ? undefined : setTimeout(this.onLate, FRAME_TIMEOUT_MS).unref();
  }
}

import type { InFlightBudget, Release } from '../../services/backpressure/in-flight-budget.js';
import type { UnreadFrame } from './frame-scanner.js';

/** From its first byte, however steadily the rest arrives; as long as a request over REST may take. */
export const FRAME_TIMEOUT_MS = 60_000;

/**
 * Not counted, about as much as one read brings: a small request is refused with its own id when it is whole. The number of
 * connections bounds what this adds up to.
 */
const FREE_BYTES = 64 * 1024;

/** Whose a frame is shows only when it is whole: till then all callers are one party, which cannot keep out those of REST. */
const UNKNOWN_CALLERS = Symbol('callers whose frames are not whole');

/** What a connection takes of the process while its current frame is not whole: memory, and time. */
export class FrameInArrival {
  private ordinal: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private held: Release | undefined;

  /** @param onLate is called once for a frame that is not whole in time. */
  constructor(
    private readonly budget: InFlightBudget,
    private readonly onLate: () => void,
  ) {}

  /**
   * Counts what has arrived of a frame, instead of what was counted before; undefined: nothing of any.
   *
   * @throws ServiceError OVERLOADED
   */
  count(frame: UnreadFrame | undefined): void {
    this.release();
    if (frame?.ordinal !== this.ordinal) this.watch(frame?.ordinal);
    if (frame !== undefined && frame.arrived > FREE_BYTES) this.held = this.budget.take(frame.arrived, UNKNOWN_CALLERS);
  }

  /** Before a frame that has become whole is counted as a request. */
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

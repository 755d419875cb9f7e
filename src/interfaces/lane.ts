/** A lane that stands still: its first operation met a fault that says nothing about it. Times are ISO 8601 in UTC. */
export interface ILaneFault {
  /** 0 to 63. */
  lane: number;
  /** Tables whose operations wait. */
  targets: string[];
  /** The operation that cannot go on; it is still pending. */
  operationId: string;
  /** How often it was tried. */
  failures: number;
  /** What it met last. */
  message: string;
  /** Five characters, see PostgreSQL's appendix A; absent for faults that PostgreSQL did not tell. */
  sqlState?: string;
  /** Host and process that met it last. */
  worker: string;
  firstFailedAt: string;
  /** When it is tried again; absent when it is parked. */
  nextTryAt?: string;
  /** Parked: not tried any more until the lane is resumed or the operation cancelled. */
  parkedAt?: string;
}

/** Failed operations that failed in the same way on the same table. Times are ISO 8601 in UTC. */
export interface IFailureGroup {
  code: string;
  /** Absent where no constraint was named. */
  constraint?: string;
  target: string;
  /** How many operations. Where it is not exact, about how many, and there may be more. */
  count: number;
  countIsExact: boolean;
  /** When the first of them failed. Where the count is not exact, some may have failed earlier. */
  firstAt: string;
  lastAt: string;
  /** The last one that was accepted. */
  example: { id: string; message: string };
}

export interface IFailuresQuery {
  /** `table` (in schema `public`) or `schema.table`. */
  target?: string;
  code?: string;
  source?: string;
  /** Only operations that failed at this time or later. ISO 8601 with a time zone. */
  since?: string;
  /** How many different pairs of code and constraint a page has. 1 to 100, default 100. */
  limit?: number;
  /** `nextCursor` of the previous page. */
  cursor?: string;
}

/** A page of groups, in the order of code, constraint and target. */
export interface IFailures {
  items: IFailureGroup[];
  /** Absent on the last page. */
  nextCursor?: string;
  /** How many failed operations were looked at for this page. */
  examined: number;
  /** False: there are more than were looked at, and groups without a recent failure may be missing. */
  isComplete: boolean;
}

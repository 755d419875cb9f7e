/** Counts of the traffic between clients and PostgreSQL. */
export interface Tally {
  /** All statements: also failed ones, `begin`, `commit`, savepoints, settings, and each of several in one message. */
  statements: number;
  /** Statements that carry data: without `begin`, `commit`, savepoints and settings. */
  dataStatements: number;
  /** Committed transactions, also those that only read. A statement outside of a block is one. */
  commits: number;
  /** Times that a client had to wait for the server before it went on. */
  roundTrips: number;
}

/** What a connection did from one moment without an open transaction to the next. */
export interface Transaction extends Tally {
  /** What the server answered to each statement that it executed: `INSERT 0 1000`. */
  tags: readonly string[];
}

export const emptyTally = (): Tally => ({ statements: 0, dataStatements: 0, commits: 0, roundTrips: 0 });

export const isData = (tag: string): boolean =>
  !/^(BEGIN|START TRANSACTION|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET|SET CONSTRAINTS|RESET)$/.test(tag);

/** Whether it executed a chunk of the service: only a chunk sets constraints. Statements in the function are not visible. */
export const executesChunk = ({ tags }: Pick<Transaction, 'tags'>): boolean => tags.includes('SET CONSTRAINTS');

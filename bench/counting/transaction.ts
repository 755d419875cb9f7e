/** What is counted of what passes between clients and PostgreSQL. */
export interface Tally {
  /** Those that failed, `begin`, `commit`, savepoints and settings included, each of those that travel in one message as well. */
  statements: number;
  /** Of them those that carry data: without `begin`, `commit`, savepoints and settings. */
  dataStatements: number;
  /** Transactions that were committed, those that only read included: a statement outside of a block is one. */
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

/** Whether it executed a chunk of the service: only that sets constraints. What the function has done does not show. */
export const executesChunk = ({ tags }: Pick<Transaction, 'tags'>): boolean => tags.includes('SET CONSTRAINTS');

import { MAX_RELEASED_SAVEPOINTS } from '../../batch/transaction-manager.js';
import { classifyFailure } from '../database/classify-failure.js';
import type { SqlClient, SqlStatement } from '../database/sql.js';
import { composeSalvage, composeStatement, type SalvageRow } from '../composer/compose-statement.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import { TransientError } from '../errors/transient-error.js';
import { preparedName } from './prepared-name.js';
import { UnexpectedRowsError, rowsAffected } from './rows-affected.js';

/** Counts statements that are sent to target tables. */
export interface StatementCounter {
  statements: number;
}

/** At least one operation. They have the same table, kind and columns. */
type Operations = readonly BoundOperation[];

/** A kept plan does not know the number of rows. */
const MAX_PREPARED_ROWS = 64;

/** Preparing pays from the third statement on. PostgreSQL keeps a plan from the sixth statement on. */
export const isRepeated = (statements: number): boolean => statements >= 8;

const MAX_TIMEOUTS = 2;

/**
 * Sends statements for operations within one transaction, alone or behind savepoints. It does not wait for statements
 * whose answer is not needed: they travel with the next statement, and `settle`, which comes before any judgement,
 * reports their failure.
 */
export class TargetWriter {
  private released = 0;
  private timeouts = 0;
  private underway: Promise<unknown>[] = [];
  private landing = false;

  constructor(
    private readonly tx: SqlClient,
    private readonly maxReleased = MAX_RELEASED_SAVEPOINTS,
  ) {}

  /**
   * Call this for each statement that took too long. Returns true when that has happened too often: while one chunk
   * searches for the slow operation, all its lanes wait. A smaller chunk finds it sooner.
   */
  losesPatience(): boolean {
    this.timeouts += 1;
    return this.timeouts > MAX_TIMEOUTS;
  }

  /** How many more savepoints that have written may be released. */
  get releasable(): number {
    return this.maxReleased - this.released;
  }

  /** Sends a command that has to succeed, without waiting for it. */
  command(text: string): void {
    this.watch(this.tx.query({ text }));
  }

  /** Keeps what was written since the savepoint. */
  release(name: string): void {
    this.released += 1;
    this.command(`release savepoint ${name}`);
  }

  undo(name: string): void {
    this.command(`rollback to savepoint ${name}; release savepoint ${name}`);
  }

  /**
   * Keeps what was written since the savepoint, and begins another one of the same name. It is sent before it is known
   * whether the previous statement has failed. If that failed, this fails too. Returns its error.
   */
  checkpoint(name: string): Promise<unknown> {
    return this.tx.query({ text: `release savepoint ${name}; savepoint ${name}` }).then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  /** Call this with the number of checkpoints that succeeded. */
  countReleased(savepoints: number): void {
    this.released += savepoints;
  }

  /** Throws the errors of commands and landings that were sent so far. Costs no round trip after a later answer. */
  async settle(): Promise<void> {
    const { underway } = this;
    this.underway = [];
    this.landing = false;
    for (const each of underway) await each;
  }

  /**
   * Call this last. Commands whose answer is not awaited may still be in progress. If they fail, the next statement
   * fails too.
   */
  async finish(): Promise<void> {
    if (this.landing) await this.settle();
  }

  /**
   * Sends the operations as one statement. Returns how many rows each of them changed.
   *
   * @param repeated true when many statements with the same text are sent
   */
  async send(operations: Operations, counter: StatementCounter, repeated = false): Promise<number[]> {
    counter.statements += 1;
    const { answers, text, values } = composeStatement(operations[0]!, operations);
    const name = repeated && operations.length <= MAX_PREPARED_ROWS ? preparedName(text) : undefined;
    return rowsAffected(answers, operations, await this.tx.query<{ ord: number }>({ text, values, name }));
  }

  /** Either all operations take effect, or none does and it throws. */
  async attempt(operations: Operations, counter: StatementCounter): Promise<number[]> {
    if (this.releasable > 0) return this.protect(() => this.send(operations, counter));
    const [error] = await this.probe([operations], counter);
    if (error !== undefined) throw error as Error;
    return this.land(operations, counter);
  }

  /** Throws when the statement cannot run even without rows. */
  async attemptNothing(shape: BoundOperation, counter: StatementCounter): Promise<void> {
    counter.statements += 1;
    const { text, values } = composeStatement(shape, []);
    const [error] = await this.rehearse([() => this.tx.query({ text, values })]);
    if (error !== undefined) throw error as Error;
  }

  /** Finds out what each of the sets would meet as its own statement, and leaves no trace of any. */
  async probe(sets: readonly Operations[], counter: StatementCounter): Promise<unknown[]> {
    const repeated = isRepeated(sets.length);
    return this.rehearse(sets.map((operations) => () => this.send(operations, counter, repeated)));
  }

  /**
   * Executes operations that have succeeded here before, without a savepoint: if they fail now, the chunk has to be
   * tried again.
   */
  async land(operations: Operations, counter: StatementCounter): Promise<number[]> {
    try {
      return await this.send(operations, counter);
    } catch (error) {
      const kind = classifyFailure(error);
      throw kind === 'transient' || kind === 'bug' ? error : new LandingFailedError(operations, error);
    }
  }

  /** Lands without waiting. `keep` is called before `settle` returns. */
  landUnderway(operations: Operations, counter: StatementCounter, keep: (rows: readonly number[]) => void): void {
    this.landing = true;
    this.watch(this.land(operations, counter).then(keep));
  }

  /** Inserts all rows that conflict with nothing. Returns for each operation whether its row was inserted. */
  async salvage(operations: Operations, counter: StatementCounter): Promise<boolean[]> {
    return this.protect(async () => {
      counter.statements += 1;
      const { rows } = await this.tx.query<SalvageRow>(composeSalvage(operations[0]!, operations));
      const { inserted, ords } = rows[0]!;
      const landed = operations.map(() => false);
      for (const ord of ords) landed[ord - 1] = true;
      // A row that was inserted but not recognised would seem to conflict with itself.
      if (landed.filter(Boolean).length !== inserted) {
        throw new UnexpectedRowsError(operations, `${inserted} rows inserted, ${ords.length} recognized`);
      }
      return landed;
    });
  }

  /** Sends a question about target tables. If it fails, the answer is `undefined`. */
  async ask<Row>(statement: SqlStatement, counter: StatementCounter): Promise<Row[] | undefined> {
    counter.statements += 1;
    let answer: Row[] | undefined;
    await this.rehearse([async () => (answer = (await this.tx.query<Row>(statement)).rows)]);
    return answer;
  }

  private async protect<T>(work: () => Promise<T>): Promise<T> {
    this.command('savepoint attempt');
    const [result] = await Promise.allSettled([work()]);
    await this.settle();
    if (result.status === 'rejected') {
      this.undo('attempt');
      throw result.reason;
    }
    this.release('attempt');
    return result.value;
  }

  /**
   * Sends operations one after the other in one round trip, each behind its own savepoint. The checkpoint after a
   * failed operation fails too, and `rollback to` then finds the previous one. Returns what each returned or threw.
   */
  async oneAfterTheOther(sets: readonly [Operations, StatementCounter][]): Promise<PromiseSettledResult<number[]>[]> {
    this.command('savepoint single');
    const checkpoints: Promise<unknown>[] = [];
    const sent = sets.map(([operations, counter]) => {
      const rows = this.send(operations, counter, isRepeated(sets.length));
      checkpoints.push(this.checkpoint('single'));
      this.command('rollback to savepoint single');
      return rows;
    });
    const results = await Promise.allSettled(sent);
    const errors = await Promise.all(checkpoints);
    await this.settle();
    this.command('release savepoint single');
    results.forEach(({ status }, index) => {
      if (status === 'rejected') return;
      this.released += 1;
      // The operation succeeded, but it was rolled back.
      if (errors[index] !== undefined) throw errors[index] as Error;
    });
    return results;
  }

  /** Runs everything in one round trip. Returns what each threw. */
  private async rehearse(works: readonly (() => Promise<unknown>)[]): Promise<unknown[]> {
    this.command('savepoint probe');
    const begun = works.map((work) => {
      const result = work();
      this.command('rollback to savepoint probe');
      return result;
    });
    const results = await Promise.allSettled(begun);
    await this.settle();
    this.command('release savepoint probe');
    return results.map((result) => (result.status === 'rejected' ? (result.reason as unknown) : undefined));
  }

  private watch(sent: Promise<unknown>): void {
    sent.catch(() => undefined);
    this.underway.push(sent);
  }
}

/** Operations that had succeeded a moment ago have failed, because another transaction came in between. */
export class LandingFailedError extends TransientError {
  constructor(operations: Operations, cause: unknown) {
    const { kind, table } = operations[0]!;
    super(
      `${operations.length} operations (${kind} of ${table.id}) that had succeeded a moment ago failed: ${String(cause)}`,
      { cause },
    );
  }
}

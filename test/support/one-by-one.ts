import pg from 'pg';
import type { RetryReason } from '../../src/interfaces/operation.js';
import type { TestOperation } from './bind-operations.js';

/** An operation as the reference executes it. */
export interface RetriedOperation extends TestOperation {
  priority?: number;
  retry?: { limit: number; on: RetryReason[] };
}

/** What became of an operation so far, in words. */
export type Fate = string;

interface Waiting {
  index: number;
  reason: 'retry' | 'blocked';
  code: string | undefined;
}

interface Verdict {
  code?: string;
  words: string;
}

export interface ReferenceOptions {
  /** The columns of every unique key, by table. Equal texts are equal values. */
  keys: Record<string, string[][]>;
  /** The columns of every foreign key, by its name. */
  foreignKeys: Record<string, string>;
}

const REASONS: Record<string, RetryReason> = {
  MISSING_PARENT: 'missing_parent',
  ROW_NOT_FOUND: 'missing_row',
  UNIQUE_VIOLATION: 'conflict',
};

/**
 * Executes operations one by one, each in a transaction of its own, and puts off what may be tried again and what follows on
 * its row: the meaning of `retry`, written down a second time and without any of the service's code.
 *
 * Time goes by in rounds: whatever waits comes back with the next one.
 */
export class OneByOne {
  private readonly operations: RetriedOperation[] = [];
  private readonly attempts: number[] = [];
  private readonly fates: Fate[] = [];
  private back: number[] = [];
  private waiting: Waiting[] = [];

  constructor(
    private readonly client: pg.Client | pg.Pool,
    private readonly options: ReferenceOptions,
  ) {}

  get waits(): boolean {
    return this.waiting.length > 0;
  }

  /** What waits comes back, these are new: all are executed in their order. */
  async round(operations: readonly RetriedOperation[]): Promise<void> {
    this.back = this.waiting.map(({ index }) => index);
    this.waiting = [];
    for (const operation of operations) {
      this.back.push(this.operations.push(operation) - 1);
      this.attempts.push(0);
    }
    const priority = (index: number): number => this.operations[index]!.priority ?? 0;
    for (const index of this.back.sort((a, b) => priority(b) - priority(a) || a - b)) await this.execute(index);
  }

  /** By operation, in the order of acceptance. */
  get result(): Fate[] {
    return this.fates;
  }

  private async execute(index: number): Promise<void> {
    const operation = this.operations[index]!;
    if (this.waiting.some((earlier) => this.blocks(earlier, index))) {
      this.waiting.push({ index, reason: 'blocked', code: undefined });
      this.fates[index] = `scheduled blocked, attempts ${this.attempts[index]}`;
      return;
    }
    const { code, words } = await this.verdict(operation);
    this.attempts[index]! += 1;
    const { limit, on } = operation.retry ?? { limit: 0, on: [] };
    const reason = REASONS[code ?? ''];
    if (reason !== undefined && on.includes(reason) && this.attempts[index]! <= limit) {
      this.waiting.push({ index, reason: 'retry', code });
      this.fates[index] = `scheduled retry ${code}, attempts ${this.attempts[index]}`;
    } else {
      this.fates[index] = `${words}, attempts ${this.attempts[index]}`;
    }
  }

  private blocks({ index: earlier, reason, code }: Waiting, index: number): boolean {
    const [one, other] = [this.operations[earlier]!, this.operations[index]!];
    if (earlier > index || (one.priority ?? 0) < (other.priority ?? 0)) return false;
    const names = this.names(one);
    if (!this.names(other).some((name) => names.includes(name))) return false;
    if (reason === 'blocked') return true;
    if (code === 'ROW_NOT_FOUND') return other.operationType !== 'insert' && other.operationType !== 'upsert';
    return code !== 'UNIQUE_VIOLATION' || other.operationType !== 'delete';
  }

  private names({ target, operationType, key, values }: RetriedOperation): string[] {
    const rows = operationType === 'insert' || operationType === 'upsert' ? [values] : [key];
    if (operationType === 'update') rows.push({ ...key, ...values });
    return this.options.keys[target]!.flatMap((columns) =>
      rows
        .filter((row) => columns.every((column) => row?.[column] !== undefined && row[column] !== null))
        .map((row) => JSON.stringify([target, columns, columns.map((column) => row![column])])),
    );
  }

  private async verdict(operation: RetriedOperation): Promise<Verdict> {
    const { text, values } = toSql(operation);
    try {
      const { rowCount } = await this.client.query(text, values);
      if (rowCount === 0 && operation.mustExist) return { code: 'ROW_NOT_FOUND', words: 'failed ROW_NOT_FOUND' };
      return { words: `completed ${rowCount}` };
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error;
      const code = this.codeOf(error, operation);
      return { code, words: ['failed', code, error.code, error.constraint].join(' ') };
    }
  }

  private codeOf({ code, constraint }: pg.DatabaseError, { operationType, values }: RetriedOperation): string {
    if (code === '23505') return 'UNIQUE_VIOLATION';
    if (code === '23514') return 'CHECK_VIOLATION';
    if (code !== '23503') throw new Error(`The reference knows no ${code}`);
    if (operationType === 'insert') return 'MISSING_PARENT';
    const column = this.options.foreignKeys[constraint ?? ''];
    const sets = operationType !== 'delete' && column !== undefined && Object.hasOwn(values ?? {}, column);
    return sets ? 'MISSING_PARENT' : 'STILL_REFERENCED';
  }
}

function toSql({ operationType, target, key = {}, values = {}, conflictKey = ['id'], onConflict }: RetriedOperation): {
  text: string;
  values: unknown[];
} {
  const [names, keyNames] = [Object.keys(values), Object.keys(key)];
  const given = names.map((_, index) => `$${index + 1}`);
  const match = (from: number): string => keyNames.map((name, index) => `${name} = $${from + index + 1}`).join(' and ');
  const insert = `insert into ${target} (${names.join(', ')}) values (${given.join(', ')})`;
  switch (operationType) {
    case 'insert':
      return {
        text: onConflict === 'ignore' ? `${insert} on conflict do nothing` : insert,
        values: Object.values(values),
      };
    case 'upsert': {
      const others = names.filter((name) => !conflictKey.includes(name));
      const set = (others.length > 0 ? others : conflictKey).map((name) => `${name} = excluded.${name}`);
      return {
        text: `${insert} on conflict (${conflictKey.join(', ')}) do update set ${set.join(', ')}`,
        values: Object.values(values),
      };
    }
    case 'update':
    case 'increment': {
      const sets = names.map((name, index) =>
        operationType === 'update' ? `${name} = $${index + 1}` : `${name} = ${name} + $${index + 1}`,
      );
      return {
        text: `update ${target} set ${sets.join(', ')} where ${match(names.length)}`,
        values: [...Object.values(values), ...Object.values(key)],
      };
    }
    case 'delete':
      return { text: `delete from ${target} where ${match(0)}`, values: Object.values(key) };
  }
}

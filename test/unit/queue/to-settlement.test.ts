import { describe, expect, it } from 'vitest';
import type { IOperationError } from '../../../src/interfaces/operation.js';
import { rowNotFound } from '../../../src/services/executor/to-operation-error.js';
import { toDeferredRow, toOutcomeRow } from '../../../src/services/queue/to-settlement.js';
import { column, table } from '../../support/table.js';
import { update } from '../support/planning.js';

const BOOK = 'x'.repeat(1_000_000);
const bound = update(table('notes', [column('id', 'text')]), BOOK, {}, { mustExist: true });
const { operation } = bound;
/** What is kept, and how many characters are not. */
const CUT = /^.{2000}\.{3}\[\d+ more characters\]$/;

describe('the error that is stored with an operation', () => {
  it('quotes no more than a part of a key that names no row', () => {
    const { message } = toOutcomeRow({ operation, outcome: { status: 'failed', error: rowNotFound(bound) } });
    expect(message).toMatch(/^public\.notes has no row with key \{"id":"x+\.{3}\[\d+ more characters\]$/);
    expect(message).toMatch(CUT);
  });

  it('has no constraint and no column of any length, which a trigger may name as it likes', () => {
    const error: IOperationError = { code: 'REJECTED_BY_TRIGGER', message: 'no', constraint: BOOK, column: BOOK };
    const row = toOutcomeRow({ operation, outcome: { status: 'failed', error } });
    expect(row.constraint).toMatch(CUT);
    expect(row.column).toMatch(CUT);
  });

  it('is cut as well while the operation waits for its next attempt', () => {
    const error: IOperationError = { code: 'UNIQUE_VIOLATION', message: BOOK };
    const row = toDeferredRow({
      operation,
      outcome: { status: 'deferred', reason: 'retry', delayMs: 1, rowKeys: [], error },
    });
    expect(row.message).toMatch(CUT);
  });
});

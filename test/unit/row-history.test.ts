import { describe, expect, it } from 'vitest';
import type { JsonRow } from '../../src/interfaces/json.js';
import type { BoundOperation } from '../../src/services/planner/bound-operation.js';
import { ChunkView } from '../../src/services/planner/chunk-view.js';
import { EMPTY_READ_SET, type ReadSet } from '../../src/services/planner/read-set.js';
import { ANY_ROW } from '../../src/services/planner/name-rows.js';
import { RowHistory } from '../../src/services/planner/row-history.js';
import { runSteps } from '../../src/services/steps/steps.js';
import type { Value } from '../../src/services/planner/value.js';
import { column, table, uniqueKey } from '../support/table.js';
import { insert, knowing, remove, update, upsert } from './support/planning.js';

const USER = table(
  'users',
  [
    column('id', 'int8', { default: 'generated', sequences: ['public.s'] }),
    column('email', 'text'),
    column('a', 'int4'),
    column('b', 'int4'),
  ],
  { uniqueKeys: [uniqueKey(['id'], { primary: true }), uniqueKey(['email']), uniqueKey(['a', 'b'])] },
);

function historyOf(operations: BoundOperation[], readSet: ReadSet = EMPTY_READ_SET, disturbed = false): RowHistory {
  const chunk = new ChunkView(operations, readSet);
  const history = new RowHistory(chunk, USER, chunk.identityOf(USER)!, operations, disturbed);
  runSteps(history.follow());
  return history;
}

const texts = (values: readonly Value[]): string[] =>
  values.map((value) => (value.state === 'known' ? value.text : value.state)).sort();
const user = (row: JsonRow) => [USER, row] as const;
const rowsOf = (history: RowHistory, operation: BoundOperation) => {
  const rows = history.rowsOf(operation);
  return rows === ANY_ROW ? ANY_ROW : rows.map(({ text }) => text).sort();
};

describe('what a row may hold', () => {
  it('is what was read, and what any operation of the chunk writes, before or after', () => {
    const operations = [update(USER, 1, { email: 'b' }), remove(USER, 1), upsert(USER, { id: 1, email: 'c' })];
    const history = historyOf(operations, knowing(operations, [user({ id: 1, email: 'a' })]));
    for (const each of operations) expect(texts(history.possible(each, ['email']))).toEqual(['ta', 'tb', 'tc']);
  });

  it('is unknown for a row that was not read, and nothing for one that was sought in vain', () => {
    const operations = [remove(USER, 1), remove(USER, 2)];
    expect(texts(historyOf(operations).possible(operations[0]!, ['email']))).toEqual(['unknown']);
    const sought = historyOf(operations, knowing(operations, [user({ id: 2, email: null })]));
    expect(texts(sought.possible(operations[0]!, ['email']))).toEqual([]);
    expect(texts(sought.possible(operations[1]!, ['email']))).toEqual(['null']);
    const partly = historyOf(operations, knowing(operations.slice(1), []));
    expect(texts(partly.possible(operations[0]!, ['email']))).toEqual(['unknown']);
  });

  it('is unknown for all rows when one operation may write into any, or something else may', () => {
    const operations = [remove(USER, 1), update(USER, null, { email: 'x' })];
    const readSet = knowing(operations, [user({ id: 1, email: 'a' })]);
    expect(texts(historyOf(operations, readSet).possible(operations[0]!, ['email']))).toEqual(['unknown']);
    const alone = operations.slice(0, 1);
    expect(texts(historyOf(alone, readSet).possible(alone[0]!, ['email']))).toEqual(['ta']);
    expect(texts(historyOf(alone, readSet, true).possible(alone[0]!, ['email']))).toEqual(['unknown']);
  });

  it('is the combination of all that several columns may hold', () => {
    const operations = [update(USER, 1, { a: 2 }), update(USER, 1, { b: 9 })];
    const history = historyOf(operations, knowing(operations, [user({ id: 1, a: 1, b: 8 })]));
    expect(history.possible(operations[0]!, ['a', 'b'])).toHaveLength(4);
    expect(history.written(operations[0]!, ['a', 'b'])).toHaveLength(2);
    expect(texts(history.written(operations[0]!, ['a']))).toEqual(['i2']);
  });

  it('is unknown past a few combinations', () => {
    const operations = Array.from({ length: 5 }, (_, index) => update(USER, 1, { a: index, b: index }));
    const history = historyOf(operations, knowing(operations, []));
    expect(texts(history.possible(operations[0]!, ['a', 'b']))).toEqual(['unknown']);
    expect(history.possible(operations[0]!, ['a'])).toHaveLength(5);
  });
});

describe('which rows an operation may touch', () => {
  it('are the one that it names, and the one that it makes', () => {
    const operations = [
      update(USER, 1, { a: 1 }),
      insert(USER, { id: 2 }),
      insert(USER, {}),
      update(USER, 3, { id: 3, a: 1 }),
    ];
    const history = historyOf(operations);
    expect(operations.map((each) => rowsOf(history, each))).toEqual([['i1'], ['i2'], ['fresh 2'], ['i3']]);
  });

  it('are those that may hold the value of another key: as read, as written, or passed on twice', () => {
    const operations = [
      update(USER, { email: 'c' }, { a: 1 }),
      update(USER, { email: 'a' }, { email: 'b' }),
      update(USER, { email: 'b' }, { email: 'c' }),
      update(USER, 7, { a: 7 }),
    ];
    const history = historyOf(
      operations,
      knowing(operations, [user({ id: 1, email: 'a' }), user({ id: 2, email: 'c' }), user({ id: 7, email: 'q' })]),
    );
    expect(operations.map((each) => rowsOf(history, each))).toEqual([['i1', 'i2'], ['i1'], ['i1'], ['i7']]);
  });

  it('may be any where it renames a row, by whatever key, and then every row may hold anything', () => {
    const renaming = [
      update(USER, 1, { id: 2 }),
      update(USER, { email: 'a' }, { id: 2 }),
      upsert(USER, { id: 2, email: 'a' }, { conflictKey: ['email'] }),
    ];
    for (const rename of renaming) {
      const operations = [rename, remove(USER, 3)];
      const history = historyOf(operations, knowing(operations, [user({ id: 3, email: 'c' })]));
      expect(rowsOf(history, rename)).toBe(ANY_ROW);
      expect(texts(history.possible(operations[1]!, ['email']))).toEqual(['unknown']);
    }
  });

  it('may hold anything where a sequence may give a row the name by which another operation looks for it', () => {
    const operations = [insert(USER, { email: 'x' }), remove(USER, 5)];
    const known = knowing(operations, [user({ id: 5, email: 'c' })]);
    expect(texts(historyOf(operations, known).possible(operations[1]!, ['email']))).toEqual(['unknown']);
    const passed = { ...known, sequenceLastValues: new Map([['public.s', 5n]]) };
    expect(texts(historyOf(operations, passed).possible(operations[1]!, ['email']))).toEqual(['tc']);
  });

  it('may be any where a key is NULL, or was not sought by a chunk that names rows in several ways', () => {
    const operations = [update(USER, 1, { a: 1 }), update(USER, { email: 'x' }, { a: 1 }), remove(USER, null)];
    expect(rowsOf(historyOf(operations.slice(0, 2)), operations[1]!)).toBe(ANY_ROW);
    expect(rowsOf(historyOf(operations.slice(0, 2), knowing(operations, [])), operations[1]!)).toEqual([]);
    expect(rowsOf(historyOf(operations, knowing(operations, [])), operations[2]!)).toBe(ANY_ROW);
  });
});

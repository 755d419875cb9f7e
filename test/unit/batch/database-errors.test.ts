import pg from 'pg';
import { describe, expect, it } from 'vitest';
import {
  isDataError,
  isRepeatedKey,
  isSystemicError,
  isTransientDatabaseError,
} from '../../../src/batch/sql/database-errors.js';
import { inSavepoint } from '../../../src/batch/sql/in-savepoint.js';
import { refusedRow } from '../../../src/batch/sql/refused-row.js';

const sent = (code: string) => refusedRow({ code, message: 'refused' });
const withCode = (code: string) => Object.assign(new Error('failed'), { code });

describe('what to skip and to retry', () => {
  it.each([
    ['a check violation', sent('23514'), 'data'],
    ['a text that is no number', sent('22P02'), 'data'],
    ['an error that a trigger raises', sent('P0001'), 'data'],
    ['a deadlock', sent('40P01'), 'transient'],
    ['a shutdown of the server', sent('57P01'), 'transient'],
    ['a refused connection', withCode('ECONNREFUSED'), 'transient'],
    ['a connection that ended in a statement', new Error('Connection terminated unexpectedly'), 'transient'],
    [
      'a statement on such a connection',
      new Error('Client has encountered a connection error and is not queryable'),
      'transient',
    ],
    ['a table that is not there', sent('42P01'), 'systemic'],
    ['a key that a statement was given twice', sent('21000'), 'systemic repeated'],
    ['an error of the program', new TypeError('x is undefined'), ''],
    ['a code that is none of PostgreSQL', withCode('23514'), ''],
  ])('%s is of the kind it is', (_, error, kind) => {
    const kinds = [
      isDataError(error) ? 'data' : '',
      isTransientDatabaseError(error) ? 'transient' : '',
      isSystemicError(error) ? 'systemic' : '',
      isRepeatedKey(error) ? 'repeated' : '',
    ];
    expect(kinds.filter((each) => each !== '').join(' ')).toBe(kind);
  });

  it('is decided by the first error when the connection is lost, and not by that of the rollback', async () => {
    const shutdown = sent('57P01');
    const tx = {
      query: ({ text }: { text: string }) =>
        text.startsWith('rollback')
          ? Promise.reject(new Error('Connection terminated'))
          : Promise.resolve({ rows: [], rowCount: 0, command: '' }),
    };
    await expect(inSavepoint(tx, 'part', () => Promise.reject(shutdown))).rejects.toBe(shutdown);
    await expect(
      inSavepoint(
        tx,
        'part',
        () => Promise.resolve(1),
        () => false,
      ),
    ).rejects.toThrow('Connection terminated');
  });

  it('gets an error of node-postgres for a refused row', () => {
    expect(sent('23505')).toBeInstanceOf(pg.DatabaseError);
  });
});

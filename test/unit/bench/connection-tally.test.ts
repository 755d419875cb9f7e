import { beforeEach, describe, expect, it } from 'vitest';
import { ConnectionTally } from '../../../bench/counting/connection-tally.js';
import { executesChunk, isData, type Transaction } from '../../../bench/counting/transaction.js';
import { done, message, prepared, query, ready, refused, startup } from './frames.js';

let transactions: Transaction[];
let tally: ConnectionTally;

const send = (...messages: Buffer[]): void => tally.sent(Buffer.concat(messages));
const answer = (...messages: (Buffer | Buffer[])[]): void => tally.received(Buffer.concat(messages.flat()));

beforeEach(() => {
  transactions = [];
  tally = new ConnectionTally((transaction) => transactions.push(transaction));
  send(startup());
  answer(message('R', '\0\0\0\0'), ready('I'));
});

describe('the tally of a connection', () => {
  it('does not count logging in', () => {
    expect(transactions).toEqual([]);
    expect(tally.busy).toBe(false);
  });

  it('counts a statement outside of a block as a transaction', () => {
    send(prepared());
    answer(done('INSERT 0 1000'), ready('I'));
    expect(transactions).toEqual([
      { statements: 1, dataStatements: 1, commits: 1, roundTrips: 1, tags: ['INSERT 0 1000'] },
    ]);
  });

  it('counts a block as one transaction, when it has ended', () => {
    send(query());
    answer(done('BEGIN'), ready('T'));
    send(query());
    answer(done('SET', 'SET'), ready('T'));
    send(prepared());
    answer(done('UPDATE 3'), ready('T'));
    expect(transactions).toEqual([]);
    send(query());
    answer(done('COMMIT'), ready('I'));
    expect(transactions).toMatchObject([{ statements: 5, dataStatements: 1, commits: 1, roundTrips: 4 }]);
  });

  it('counts no round trip for what is sent while answers are under way', () => {
    send(query(), prepared(), prepared());
    send(query());
    expect(tally.busy).toBe(true);
    answer(done('BEGIN'), ready('T'), done('SELECT 1'), ready('T'), done('DELETE 2'), ready('T'));
    expect(tally.busy).toBe(true);
    answer(done('COMMIT'), ready('I'));
    expect(tally.busy).toBe(false);
    expect(transactions).toMatchObject([{ statements: 4, commits: 1, roundTrips: 1 }]);
  });

  it('counts statements that fail, and no commit of theirs', () => {
    send(prepared());
    answer(refused(), ready('I'));
    expect(transactions).toMatchObject([{ statements: 1, dataStatements: 1, commits: 0 }]);
    send(query(), prepared(), query());
    answer(done('BEGIN'), ready('T'), refused(), ready('E'), done('ROLLBACK'), ready('I'));
    expect(transactions[1]).toMatchObject({ statements: 3, dataStatements: 1, commits: 0 });
  });

  it('counts a block that travels in one message', () => {
    send(query());
    answer(done('BEGIN', 'INSERT 0 1', 'COMMIT'), ready('I'));
    expect(transactions).toMatchObject([{ statements: 3, dataStatements: 1, commits: 1, roundTrips: 1 }]);
  });
});

describe('a transaction', () => {
  it.each([
    [['BEGIN', 'SELECT 1', 'SET CONSTRAINTS', 'SELECT 1', 'SELECT 1', 'COMMIT'], true],
    [['BEGIN', 'SELECT 1000', 'COMMIT'], false],
    [['INSERT 0 1'], false],
    [[], false],
  ])('of %j executes a chunk: %s', (tags, expected) => {
    expect(executesChunk({ tags })).toBe(expected);
  });

  it('carries data in some of its statements', () => {
    const control = ['BEGIN', 'SET', 'SET CONSTRAINTS', 'SAVEPOINT', 'RELEASE', 'ROLLBACK', 'COMMIT'];
    expect([...control, 'SELECT 0', 'INSERT 0 1', 'TRUNCATE TABLE'].filter(isData)).toEqual([
      'SELECT 0',
      'INSERT 0 1',
      'TRUNCATE TABLE',
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/bootstrap/run-command.js';
import { parseOperationsCommand } from '../../../src/bootstrap/operations-command.js';

const parse = (line: string) => parseOperationsCommand(line === '' ? [] : line.split(' '));

describe('the command line of operations', () => {
  it.each([
    ['list', { name: 'list', query: {}, json: false }],
    [
      'list --status failed --chunk-id 7 --limit 5 --cursor 9 --json',
      { name: 'list', query: { status: 'failed', chunkId: '7', limit: 5, cursor: '9' }, json: true },
    ],
    ['retry --code MISSING_PARENT', { name: 'retry', request: { filter: { code: 'MISSING_PARENT' }, dryRun: false } }],
    [
      'cancel --source shop --created-after 2026-01-01T00:00:00Z --dry-run',
      { name: 'cancel', request: { filter: { source: 'shop', createdAfter: '2026-01-01T00:00:00Z' }, dryRun: true } },
    ],
    [
      'erase --id a --id b --expected 2',
      { name: 'erase', request: { filter: { ids: ['a', 'b'] }, dryRun: false, expected: 2 } },
    ],
    ['actions --limit 5 --cursor 9', { name: 'actions', page: { limit: 5, cursor: '9' } }],
    ['show 0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f', { name: 'show', id: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' }],
  ])('asks by `%s` for what it names', (line, command) => {
    expect(parse(line)).toEqual(command);
  });

  it.each([
    ['', 'A command is missing'],
    ['forget', "There is no command 'forget'"],
    ['actions --source shop', 'actions does not take the option --source'],
    ['list all', "list does not take the argument 'all'"],
    ['list --dry-run', 'list does not take the option --dry-run'],
    ['list --id a', 'list does not take the option --id'],
    ['list --limit few', "--limit must be a whole number, not 'few'"],
    ['retry --colour red', "Unknown option '--colour'"],
    ['retry --code', "Option '--code <value>' argument missing"],
    ['retry now --code X', "retry does not take the argument 'now'"],
    ['retry --limit 3', 'retry does not take the option --limit'],
    ['erase --expected 1.5', "--expected must be a whole number, not '1.5'"],
    ['show', "The id of a bulk action is a UUID, not ''"],
    ['show abc', "The id of a bulk action is a UUID, not 'abc'"],
    ['stop 0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f 2', "stop does not take the argument '2'"],
    ['show 0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f --json', 'show does not take the option --json'],
  ])('refuses `%s`, and says what is wrong', (line, reason) => {
    expect(() => parse(line)).toThrow(new UsageError(reason));
  });
});

import { describe, expect, it } from 'vitest';
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
    ['show 0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f', { name: 'show', id: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' }],
  ])('asks by `%s` for what it names', (line, command) => {
    expect(parse(line)).toEqual(command);
  });

  it.each([
    ...['', 'forget', 'list all', 'list --dry-run', 'list --id a', 'list --limit few', 'retry --colour red'],
    ...['retry now --code X', 'retry --limit 3', 'erase --expected -1', 'show', 'stop 1 2', 'show 1 --json'],
  ])('asks for nothing by `%s`', (line) => {
    expect(parse(line)).toBeUndefined();
  });
});

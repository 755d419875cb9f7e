import { describe, expect, it } from 'vitest';
import { parseParkedMessagesCommand } from '../../../src/bootstrap/parked-messages-command.js';

const parse = (line: string) => parseParkedMessagesCommand(line === '' ? [] : line.split(' '));

describe('the command line of parked-messages', () => {
  it.each([
    ['list', { name: 'list', selection: {} }],
    ['list --limit 2', { name: 'list', selection: { limit: 2 } }],
    ['replay', { name: 'replay', selection: {} }],
    ['replay --id m-2 --limit 3', { name: 'replay', selection: { id: 'm-2', limit: 3 } }],
    ['discard --id m-2', { name: 'discard', selection: { id: 'm-2' } }],
    ['discard --all', { name: 'discard', selection: {} }],
  ])('asks by `%s` for what it names', (line, command) => {
    expect(parse(line)).toEqual(command);
  });

  it.each([
    '',
    'list --id m-1',
    'list all',
    'discard',
    'discard --id m-1 --all',
    'discard --all --limit 2',
    'replay --all',
    'replay --limit 0',
    'replay --limit many',
    'replay --colour red',
    'purge',
  ])('asks for nothing by `%s`', (line) => {
    expect(parse(line)).toBeUndefined();
  });
});

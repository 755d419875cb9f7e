import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/bootstrap/run-command.js';
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
    ['', 'A command is missing'],
    ['list --id m-1', 'list does not take the option --id'],
    ['list all', "list does not take the argument 'all'"],
    ['discard', 'discard takes either --id <id> or --all'],
    ['discard --id m-1 --all', 'discard takes either --id <id> or --all'],
    ['discard --all --limit 2', 'discard does not take the option --limit'],
    ['replay --all', 'replay does not take the option --all'],
    ['replay --limit 0', "--limit must be a whole number from 1, not '0'"],
    ['replay --limit many', "--limit must be a whole number from 1, not 'many'"],
    ['replay --colour red', "Unknown option '--colour'"],
    ['purge m-1', "There is no command 'purge'"],
  ])('refuses `%s`, and says what is wrong', (line, reason) => {
    expect(() => parse(line)).toThrow(new UsageError(reason));
  });
});

import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/bootstrap/run-command.js';
import { parseNotificationsCommand } from '../../../src/bootstrap/notifications-command.js';

const parse = (line: string) => parseNotificationsCommand(line === '' ? [] : line.split(' '));

describe('the command line of notifications', () => {
  it.each([
    ['list', { name: 'list' }],
    ['notify 12', { name: 'notify', chunkId: '12' }],
    ['skip 12', { name: 'skip', chunkId: '12' }],
  ])('asks by `%s` for what it names', (line, command) => {
    expect(parse(line)).toEqual(command);
  });

  it.each([
    ['', 'A command is missing'],
    ['notify', "notify takes the number of a chunk, not ''"],
    ['skip one', "skip takes the number of a chunk, not 'one'"],
    ['skip -1', "skip takes the number of a chunk, not '-1'"],
    ['notify 1234567890123456789', "notify takes the number of a chunk, not '1234567890123456789'"],
    ['list 1', "list does not take the argument '1'"],
    ['skip 1 2', "skip does not take the argument '2'"],
    ['forget 1', "There is no command 'forget'"],
  ])('refuses `%s`, and says what is wrong', (line, reason) => {
    expect(() => parse(line)).toThrow(new UsageError(reason));
  });
});

import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/bootstrap/run-command.js';
import { parseNotificationsCommand } from '../../../src/bootstrap/notifications-command.js';

const parse = (line: string) => parseNotificationsCommand(line === '' ? [] : line.split(' '));

describe('the command line of notifications', () => {
  it.each([
    ['list', { name: 'list', page: {} }],
    ['list --limit 20 --cursor 12.shop', { name: 'list', page: { limit: 20, cursor: '12.shop' } }],
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
    ['list --limit 0', "--limit must be a whole number from 1 to 1000, not '0'"],
    ['list --limit 1001', "--limit must be a whole number from 1 to 1000, not '1001'"],
    ['list --limit few', "--limit must be a whole number, not 'few'"],
    ['list 1', "list does not take the argument '1'"],
    ['skip 1 2', "skip does not take the argument '2'"],
    ['forget 1', "There is no command 'forget'"],
  ])('refuses `%s`, and says what is wrong', (line, reason) => {
    expect(() => parse(line)).toThrow(new UsageError(reason));
  });
});

import { describe, expect, it } from 'vitest';
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

  it.each(['', 'notify', 'skip one', 'skip -1', 'notify 1234567890123456789', 'list 1', 'skip 1 2', 'forget 1'])(
    'asks for nothing by `%s`',
    (line) => {
      expect(parse(line)).toBeUndefined();
    },
  );
});

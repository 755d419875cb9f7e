import { describe, expect, it } from 'vitest';
import { parsePausesCommand } from '../../../src/bootstrap/pauses-command.js';

const parse = (line: string) => parsePausesCommand(line === '' ? [] : line.split(' '));

describe('the command line of pauses', () => {
  it.each([
    ['list', { name: 'list' }],
    ['pause lane 7', { name: 'pause', request: { kind: 'lane', name: '7', drain: false } }],
    [
      'drain target orders --reason migration',
      { name: 'drain', request: { kind: 'target', name: 'orders', drain: true, reason: 'migration' } },
    ],
    ['resume source importer', { name: 'resume', kind: 'source', of: 'importer' }],
  ])('asks by `%s` for what it names', (line, command) => {
    expect(parse(line)).toEqual(command);
  });

  it.each([
    ...['', 'list all', 'pause', 'pause table orders', 'pause target', 'pause target orders --why x'],
    ...[
      'pause target orders --reason',
      'pause target orders --reason a b',
      'resume target orders --reason x',
      'stop lane 1',
    ],
  ])('asks for nothing by `%s`', (line) => {
    expect(parse(line)).toBeUndefined();
  });
});

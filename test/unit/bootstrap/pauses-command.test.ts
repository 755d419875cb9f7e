import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/bootstrap/run-command.js';
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
    ['', 'A command is missing'],
    ['list all', "list does not take the argument 'all'"],
    ['list --reason x', 'list does not take the option --reason'],
    ['pause', 'pause takes <kind> and <name>'],
    ['pause table orders', "<kind> must be one of lane, target, source, not 'table'"],
    ['pause target', 'pause takes <kind> and <name>'],
    ['pause target orders --why x', "Unknown option '--why'"],
    ['pause target orders --reason', "Option '--reason <value>' argument missing"],
    ['pause target orders --reason a b', "pause does not take the argument 'b'"],
    ['resume target orders --reason x', 'resume does not take the option --reason'],
    ['stop lane 1', "There is no command 'stop'"],
  ])('refuses `%s`, and says what is wrong', (line, reason) => {
    expect(() => parse(line)).toThrow(new UsageError(reason));
  });
});

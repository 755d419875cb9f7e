import { describe, expect, it } from 'vitest';
import { parseKeysCommand } from '../../../src/bootstrap/keys-command.js';
import { UsageError } from '../../../src/bootstrap/run-command.js';

const parse = (line: string) => parseKeysCommand(line === '' ? [] : line.split(' '));

describe('the command line of keys', () => {
  it('creates a key with all that may be said of it', () => {
    expect(
      parse(
        'create --name shop --scope write --scope read --scope write --target orders --target shop.* --expires-in-days 30',
      ),
    ).toEqual({
      kind: 'create',
      key: {
        name: 'shop',
        scopes: ['write', 'read'],
        targets: ['orders', 'shop.*'],
        sources: ['shop'],
        expiresInDays: 30,
      },
    });
  });

  it('creates a key for every target, and for ever, where nothing else is said', () => {
    expect(parse('create --name shop --scope admin')).toEqual({
      kind: 'create',
      key: { name: 'shop', scopes: ['admin'], targets: undefined, sources: ['shop'], expiresInDays: undefined },
    });
  });

  it.each([
    ['--name shop', ['shop']],
    ['--name shop --source shop-a --source shop-b --source shop-a', ['shop-a', 'shop-b']],
    ['--name shop --any-source', undefined],
    ['--name a.b --source shop', ['shop']],
  ])('lets the key of `%s` hand over operations of these sources', (line, sources) => {
    expect(parse(`create --scope write ${line}`)).toMatchObject({ key: { sources } });
  });

  it('lists, revokes and encrypts anew', () => {
    expect(parse('list')).toEqual({ kind: 'list' });
    expect(parse('rotate')).toEqual({ kind: 'rotate' });
    expect(parse('revoke 0123456789abcdef')).toEqual({ kind: 'revoke', id: '0123456789abcdef' });
  });

  it.each([
    ['', /A command is missing/],
    ['destroy', /no command 'destroy'/],
    ['create --scope write', /--name/],
    ['create --name shop', /--scope is needed: read, write, admin/],
    ['create --name shop --scope root', /one of read, write, admin, not 'root'/],
    [
      'create --name shop --scope read --target batch.pending',
      /'batch.pending': tables of this schema are never targets/,
    ],
    ['create --name shop --scope read --target shop.o*', /star/],
    ['create --name shop --scope read --expires-in-days 0', /from 1 to 36500, not '0'/],
    ['create --name shop --scope read --expires-in-days 1e3', /not '1e3'/],
    ['create --name shop --scope read --colour red', /--colour/],
    ['create shop --scope read', /shop/],
    ['create --name a.b --scope write', /--source or --any-source is required: the --name cannot be a source/],
    ['create --name shop --scope write --source a.b', /--source must be 1 to 100 letters.*not 'a.b'/],
    ['create --name shop --scope write --source a --any-source', /not both/],
    ['list all', /no arguments/],
    ['rotate all', /no arguments/],
    ['revoke', /id of one key/],
    ['revoke a b', /id of one key/],
  ])('refuses `keys %s`, and says why', (line, why) => {
    expect(() => parse(line)).toThrow(UsageError);
    expect(() => parse(line)).toThrow(why);
  });
});

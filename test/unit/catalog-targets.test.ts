import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { AllowedTargets } from '../../src/services/catalog/allowed-targets.js';
import { parseTargetName, tableId, tableSql } from '../../src/services/catalog/target-name.js';
import { InvalidSettingsError } from '../../src/services/config/invalid-settings.error.js';

describe('target names', () => {
  it.each([
    ['orders', 'public', 'orders'],
    ['shop.orders', 'shop', 'orders'],
    ['Shop.Orders', 'Shop', 'Orders'],
    ['"a.b".c', 'a.b', 'c'],
    ['a."b""c"', 'a', 'b"c'],
    ['"orders"', 'public', 'orders'],
    [' a b ', 'public', ' a b '],
    ['a; drop table b', 'public', 'a; drop table b'],
    ["o'brien", 'public', "o'brien"],
    ['größe.表', 'größe', '表'],
    ['a\nb', 'public', 'a\nb'],
  ])('%j is %j, %j', (text, schema, name) => {
    expect(parseTargetName(text)).toEqual({ schema, name });
  });

  it.each([
    '',
    '.',
    '..',
    'a.',
    '.a',
    'a.b.c',
    '"',
    '""',
    '"a',
    'a"',
    'a"b"',
    '"a"b',
    '"a".',
    '"a"".b',
    'a\0',
    '\udc00',
  ])('%j is none', (text) => {
    expect(parseTargetName(text)).toBeUndefined();
  });

  it('come back from an id as they were, whatever they hold', () => {
    const part = fc.oneof(
      fc.string({ minLength: 1, unit: fc.constantFrom('a', 'B', '.', '"', ' ', 'é') }),
      fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !text.includes('\0')),
    );
    fc.assert(
      fc.property(part, part, (schema, name) => {
        expect(parseTargetName(tableId({ schema, name }))).toEqual({ schema, name });
      }),
    );
  });

  it('are quoted for SQL', () => {
    expect(tableSql({ schema: 'public', name: 'x"; drop table y; --' })).toBe('"public"."x""; drop table y; --"');
  });
});

describe('AllowedTargets', () => {
  const allows = (entries: string[], schema: string, name: string) =>
    AllowedTargets.parse(entries).allows({ schema, name });

  it.each<[string[], string, string, boolean]>([
    [['*'], 'public', 'orders', true],
    [['*'], 'shop', 'orders', true],
    [['public.*'], 'public', 'orders', true],
    [['public.*'], 'shop', 'orders', false],
    [['orders'], 'public', 'orders', true],
    [['orders'], 'public', 'Orders', false],
    [['orders'], 'shop', 'orders', false],
    [['shop.orders', 'stock'], 'shop', 'orders', true],
    [['shop.orders', 'stock'], 'public', 'stock', true],
    [['shop.orders', 'stock'], 'shop', 'stock', false],
    [['"a.b".*'], 'a.b', 'c', true],
    [['"*"'], 'public', '*', true],
    [['"*"'], 'public', 'orders', false],
    [['*'], 'batch', 'operations', false],
    [['*'], 'pg_catalog', 'pg_class', false],
    [['*'], 'pg_temp_3', 'x', false],
    [['*'], 'information_schema', 'tables', false],
    [['*'], 'Batch', 'x', true],
  ])('%j: %s.%s %s', (entries, schema, name, allowed) => {
    expect(allows(entries, schema, name)).toBe(allowed);
  });

  it.each([
    'a*',
    '*.orders',
    '*.*',
    'a.b.c',
    '.x',
    'x.',
    '"x',
    'batch.*',
    'batch.operations',
    'pg_catalog.*',
    'information_schema.x',
  ])('refuses %j at boot, by the name of the variable', (entry) => {
    expect(() => AllowedTargets.parse(['orders', entry])).toThrow(InvalidSettingsError);
    expect(() => AllowedTargets.parse(['orders', entry])).toThrow(`BATCH_ALLOWED_TARGETS: '${entry}'`);
  });

  it('reports all faults at once', () => {
    try {
      AllowedTargets.parse(['a*', 'ok', 'b*']);
      expect.unreachable();
    } catch (error) {
      expect((error as InvalidSettingsError).faults).toHaveLength(2);
    }
  });

  it('refuses an empty list: nothing would ever be accepted', () => {
    expect(() => AllowedTargets.parse([])).toThrow('BATCH_ALLOWED_TARGETS');
  });
});

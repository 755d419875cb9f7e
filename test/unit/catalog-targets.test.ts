import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { TargetList } from '../../src/services/catalog/target-list.js';
import { parseTargetName, tableId, tableSql } from '../../src/services/catalog/target-name.js';
import { InvalidSettingsError } from '../../src/services/config/invalid-settings.error.js';
import { loadSettings } from '../../src/services/config/load-settings.js';

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

describe('TargetList', () => {
  const includes = (entries: string[], schema: string, name: string) =>
    TargetList.allowed(entries).includes({ schema, name });

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
  ])('%j: %s.%s %s', (entries, schema, name, included) => {
    expect(includes(entries, schema, name)).toBe(included);
    expect(TargetList.serial(entries).includes({ schema, name })).toBe(included);
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
    expect(() => TargetList.allowed(['orders', entry])).toThrow(InvalidSettingsError);
    expect(() => TargetList.allowed(['orders', entry])).toThrow(`BATCH_ALLOWED_TARGETS: '${entry}'`);
    expect(() => TargetList.serial(['orders', entry])).toThrow(`BATCH_SERIAL_TARGETS: '${entry}'`);
  });

  it('reports all faults at once', () => {
    try {
      TargetList.allowed(['a*', 'ok', 'b*']);
      expect.unreachable();
    } catch (error) {
      expect((error as InvalidSettingsError).faults).toHaveLength(2);
    }
  });

  it('refuses an empty list of allowed targets: nothing would ever be accepted', () => {
    expect(() => TargetList.allowed([])).toThrow('BATCH_ALLOWED_TARGETS');
  });

  it('may list nothing as serial', () => {
    expect(TargetList.serial([]).includes({ schema: 'public', name: 'orders' })).toBe(false);
  });

  it('is checked with all other settings, by the name of its variable', () => {
    const faulty = { BATCH_ALLOWED_TARGETS: 'a*', BATCH_SERIAL_TARGETS: 'orders, batch.*' };
    expect(() => loadSettings(faulty)).toThrow(
      expect.objectContaining({
        faults: [
          expect.stringMatching(/^BATCH_ALLOWED_TARGETS: 'a\*'/),
          expect.stringMatching(/^BATCH_SERIAL_TARGETS: 'batch/),
        ],
      }),
    );
    expect(loadSettings({}).execution.serialTargets).toEqual([]);
    expect(loadSettings({ BATCH_SERIAL_TARGETS: 'a, shop.*' }).execution.serialTargets).toEqual(['a', 'shop.*']);
  });
});

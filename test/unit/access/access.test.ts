import { describe, expect, it } from 'vitest';
import type { KeyScope } from '../../../src/interfaces/access.js';
import { assertMeets, FULL_ACCESS, reaches, type Access } from '../../../src/services/access/access.js';
import { TargetList } from '../../../src/services/catalog/target-list.js';
import { tableId } from '../../../src/services/catalog/target-name.js';

const access = (scopes: KeyScope[], targets?: string[]): Access => ({
  keyId: 'x',
  scopes,
  targets: targets && TargetList.ofKey(targets),
  sources: undefined,
});

describe('what a key allows', () => {
  it.each<[KeyScope[], KeyScope, boolean]>([
    [['read'], 'read', true],
    [['read'], 'write', false],
    [['write'], 'read', false],
    [['write', 'read'], 'read', true],
    [['write', 'read'], 'admin', false],
    [['admin'], 'read', true],
    [['admin'], 'admin', true],
    [[], 'read', false],
  ])('%j for %s: %s', (scopes, scope, allowed) => {
    const check = () => assertMeets(access(scopes), { scope, everyTarget: false });
    if (allowed) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ code: 'SCOPE_REQUIRED', details: { scope } }) as Error);
  });

  it('leaves what is of all tables to keys that are not limited', () => {
    const requirement = { scope: 'read', everyTarget: true } as const;
    expect(() => assertMeets(FULL_ACCESS, requirement)).not.toThrow();
    expect(() => assertMeets(access(['read']), requirement)).not.toThrow();
    expect(() => assertMeets(access(['admin'], ['orders']), requirement)).toThrow(/not limited to targets/);
  });

  it('reaches its targets in whatever way they are written, and no others', () => {
    const limited = access(['read'], ['orders', 'shop.*']);
    for (const target of ['orders', 'public.orders', '"public"."orders"', 'shop.carts', '"shop".x']) {
      expect(reaches(limited, target), target).toBe(true);
    }
    for (const target of ['Orders', 'other.orders', 'shopping.lists', 'batch.pending', 'a.b.c', '']) {
      expect(reaches(limited, target), target).toBe(false);
    }
    expect(reaches(access(['read'], []), 'orders')).toBe(false);
    expect(reaches(access(['read']), 'orders')).toBe(true);
  });

  it('finds by its patterns, in stored targets, what it reaches', () => {
    const list = TargetList.ofKey(['orders', 'shop.*', '"odd.shop".*', '"a""b".*', 'x."y.z"']);
    const { ids, prefixes } = list.patterns;
    const schemas = ['public', 'shop', 'shopping', 'odd', 'odd.shop', 'a"b', 'a', 'x', '"odd', 'odd.shop"'];
    for (const schema of schemas) {
      for (const name of ['orders', 'y.z', 'shop.x', '".x', 'b"."c']) {
        const id = tableId({ schema, name });
        const found = ids.includes(id) || prefixes.some((prefix) => id.startsWith(prefix));
        expect(found, id).toBe(list.includes({ schema, name }));
      }
    }
    expect(TargetList.ofKey(['*']).patterns.prefixes).toEqual(['']);
  });
});

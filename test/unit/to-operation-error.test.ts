import { describe, expect, it } from 'vitest';
import { toOperationError } from '../../src/services/executor/to-operation-error.js';
import { column, foreignKey, table } from '../support/table.js';
import { insert, update } from './support/planning.js';

const REFERENCE = foreignKey({
  child: 'public.child',
  childColumns: ['parent_id'],
  parent: 'public.parent',
  name: 'child_parent_fkey',
});
const CHILD = table('child', [column('id', 'int4'), column('parent_id', 'int4')], { foreignKeys: [REFERENCE] });
const violation = { code: '23503', message: 'violates a foreign key', schema: 'public' };

describe('the verdict that an error is', () => {
  it.each(['23502', '23514', '44000'])('does not show the row of %s, in whatever language it is told', (code) => {
    const error = { code, message: 'verletzt', detail: 'Fehlgeschlagene Zeile enthält (1, geheim).' };
    expect(toOperationError(error, insert(CHILD, { id: 1 })).message).toBe('verletzt');
  });

  it('shows the key of a duplicate, which the caller has sent', () => {
    const error = { code: '23505', message: 'duplicate key', detail: 'Key (id)=(1) already exists.' };
    expect(toOperationError(error, insert(CHILD, { id: 1 })).message).toBe(
      'duplicate key (Key (id)=(1) already exists.)',
    );
  });

  it.each([
    ['a parent that an insert misses', insert(CHILD, { id: 1, parent_id: 2 }), 'child', 'MISSING_PARENT'],
    ['a parent that an update misses', update(CHILD, 1, { parent_id: 2 }), 'child', 'MISSING_PARENT'],
    ['a row of another table that still refers', update(CHILD, 1, { id: 2 }), 'grandchild', 'STILL_REFERENCED'],
  ])('tells %s by a constraint that it does not know yet', (_, operation, named, code) => {
    const error = { ...violation, table: named, constraint: 'a_new_one' };
    expect(toOperationError(error, operation).code).toBe(code);
  });

  it('tells a parent that a row of a partition misses, by the constraint', () => {
    const error = { ...violation, table: 'child_2024', constraint: 'child_parent_fkey' };
    expect(toOperationError(error, insert(CHILD, { id: 1, parent_id: 2 })).code).toBe('MISSING_PARENT');
  });
});

import type { Column } from '../catalog/table.js';
import type { SqlStatement } from '../../interfaces/sql.js';

/** Values of the same columns, in the same sense: see `NamedRow`. */
export interface KeySource {
  key: string;
  columns: readonly Column[];
  stored: boolean;
}

export interface KeyValues {
  /** Returned with the hash. */
  ord: number;
  /** In the order of `KeySource.columns`. */
  texts: readonly (string | null)[];
}

export interface HashRow {
  ord: number;
  /** 64 bits, signed, as text. */
  hash: string;
}

/**
 * Hashes of values. They are equal for values that PostgreSQL treats as equal: 1.0 = 1, 'A' = 'a' in citext, time
 * zones, collations. Fails when a value is not valid for its type, or when a type cannot be hashed.
 */
export function hashValues(sources: readonly (KeySource & { rows: readonly KeyValues[] })[]): SqlStatement {
  const values: unknown[] = [];
  const parameter = (value: unknown, type: string): string => `$${values.push(value)}::${type}`;
  const parts = sources.map(({ key, columns, stored, rows }) => {
    const seed = parameter(key, 'text');
    const arrays = [
      parameter(
        rows.map(({ ord }) => ord),
        'int4[]',
      ),
      ...columns.map((_, index) =>
        parameter(
          rows.map(({ texts }) => texts[index] ?? null),
          'text[]',
        ),
      ),
    ];
    const aliases = ['ord', ...columns.map((_, index) => `k${index}`)];
    const casts = columns.map((column, index) => cast(column, `s.k${index}`, stored));
    return `select s.ord, pg_catalog.hash_record_extended(row(${casts.join(', ')}), pg_catalog.hashtextextended(${seed}, 0))::text as hash
from unnest(${arrays.join(', ')}) s(${aliases.join(', ')})`;
  });
  return { text: parts.join('\nunion all '), values };
}

/** With the type and collation by which the unique index compares. */
function cast({ type, storedType, familyType }: Column, value: string, stored: boolean): string {
  const asKept = stored && storedType !== type ? `::${storedType}` : '';
  return `${value}${asKept}::${type}${familyType.collation === undefined ? '' : ` collate ${familyType.collation}`}`;
}

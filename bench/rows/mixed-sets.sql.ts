import pg from 'pg';
import type { Item } from './items.js';
import type { MixedOperation } from './mixed-operations.js';

/**
 * One statement for operations of one table and kind; prepared under a name of its own for each of both.
 *
 * @param operations not empty
 */
export function applySet(operations: readonly MixedOperation[]): pg.QueryConfig {
  const { kind, table } = operations[0]!;
  const name = `${kind}_${table}`;
  const rows = operations.map(({ row }) => row as Item);
  const column = <K extends keyof Item>(key: K): Item[K][] => rows.map((row) => row[key]);
  const items = [column('id'), column('a'), column('b'), column('c'), column('d'), column('e')];
  const insert = `
    insert into ${table} (id, a, b, c, d, e)
    select * from unnest($1::int[], $2::text[], $3::int[], $4::numeric[], $5::timestamptz[], $6::boolean[])`;
  switch (kind) {
    case 'insert':
      return { name, text: insert, values: items };
    case 'upsert':
      return {
        name,
        text: `${insert}
          on conflict (id) do update
          set a = excluded.a, b = excluded.b, c = excluded.c, d = excluded.d, e = excluded.e`,
        values: items,
      };
    case 'update':
      return {
        name,
        text: `
          update ${table} t set a = s.a, b = s.b
          from unnest($1::int[], $2::text[], $3::int[]) s(id, a, b)
          where t.id = s.id`,
        values: [column('id'), column('a'), column('b')],
      };
    case 'increment':
      return {
        name,
        // An update takes any one row for each key. So they are summed before.
        text: `
          update ${table} t set b = t.b + s.b, c = t.c + s.c
          from (
            select id, sum(b)::int as b, sum(c) as c
            from unnest($1::int[], $2::int[], $3::numeric[]) u(id, b, c)
            group by id
          ) s
          where t.id = s.id`,
        values: [column('id'), column('b'), column('c')],
      };
    case 'delete':
      return { name, text: `delete from ${table} where id = any($1::int[])`, values: [column('id')] };
  }
}

/** The plain statement of one operation, its values in the text. */
export function applyOne({ kind, table, row }: MixedOperation): string {
  const id = row.id;
  switch (kind) {
    case 'insert':
      return `insert into ${table} values (${literals(row)})`;
    case 'upsert':
      return `insert into ${table} values (${literals(row)})
        on conflict (id) do update set a = excluded.a, b = excluded.b, c = excluded.c, d = excluded.d, e = excluded.e`;
    case 'update':
      return `update ${table} set a = ${pg.escapeLiteral(row.a)}, b = ${row.b} where id = ${id}`;
    case 'increment':
      return `update ${table} set b = b + ${row.b}, c = c + ${row.c} where id = ${id}`;
    case 'delete':
      return `delete from ${table} where id = ${id}`;
  }
}

function literals({ id, a, b, c, d, e }: Item): string {
  return `${id}, ${pg.escapeLiteral(a)}, ${b}, ${c}, ${pg.escapeLiteral(d)}, ${e}`;
}

import { SHAPE_LOCK } from '../../entities/functions/register-shape.js';
import { encodeTexts } from '../database/encode-texts.js';
import type { SqlStatement } from '../database/sql.js';
import type { NamedShape, StoredShape } from './shape.js';

const SHAPE_COLUMNS = `s.id, s.type, s.target, s.key_columns as "keyColumns", s.value_columns as "valueColumns", s.documents,
        s.by_column as "byColumn", s.on_conflict as "onConflict", s.conflict_key as "conflictKey", s.must_exist as "mustExist"`;

export function selectShapes(ids: readonly number[]): SqlStatement {
  return {
    name: 'batch.select_shapes',
    text: `select ${SHAPE_COLUMNS} from batch.shapes s where s.id = any($1::int4[])`,
    values: [ids],
  };
}

export interface RegisteredRow {
  name: string;
  /** Null when it was not stored: there are `limit` shapes by column already, or another process is storing it now. */
  id: StoredShape['id'] | null;
}

/**
 * Stores shapes that are new, by column only as long as there are fewer than `limit`. Returns one row for each. A caller in SQL may be
 * storing the same shape, and may not commit for long. Then it is stored under another one of its eight hashes.
 */
export function registerShapes(shapes: readonly NamedShape[], limit: number): SqlStatement {
  const texts = (column: string): string =>
    `case when jsonb_typeof(${column}) = 'array' then array(select jsonb_array_elements_text(${column})) end`;
  return {
    name: 'batch.register_shapes',
    text: `
      with given as materialized (
        select name, name::jsonb as shape, array(
            select md5((name::jsonb)::text || n)::uuid from unnest('{"",1,2,3,4,5,6,7}'::text[]) n
          ) as hashes
        from unnest($1::text[]) n(name)
      ),
      missing as materialized (
        select g.*, coalesce(
            (select hash from unnest(g.hashes) hash where pg_try_advisory_xact_lock(${SHAPE_LOCK}, hashtext(hash::text)) limit 1), g.hashes[1]
          ) as stored_as
        from given g
        where not exists (select from batch.shapes s where s.hash = any (g.hashes))
          and (not (g.shape->>5)::boolean or (select count(*) from batch.shapes where by_column) < $2::int)
      ),
      made as (
        insert into batch.shapes (hash, type, target, key_columns, value_columns, documents, by_column, on_conflict, conflict_key,
          must_exist)
        select stored_as, shape->>0, shape->>1, ${texts('shape->2')}, ${texts('shape->3')},
          ${texts('shape->4')}::smallint[], (shape->>5)::boolean, shape->>6, ${texts('shape->7')}, (shape->>8)::boolean
        from missing
        on conflict (hash) do nothing
        returning id, hash
      )
      select g.name, coalesce(made.id, (select min(s.id) from batch.shapes s where s.hash = any (g.hashes))) as id
      from given g left join missing m using (name) left join made on made.hash = m.stored_as`,
    values: [encodeTexts(shapes.map(({ name }) => name)), limit],
  };
}

import { encodeTexts } from '../../batch/sql/encode-texts.js';
import type { SqlStatement } from '../../interfaces/sql.js';
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
  /** Null when it was not stored, because there are already too many shapes by column. */
  id: StoredShape['id'] | null;
}

/** Stores shapes that are new. Returns one row for each. */
export function registerShapes(shapes: readonly NamedShape[]): SqlStatement {
  return {
    name: 'batch.register_shapes',
    text: 'select name, batch.store_shape(name::jsonb) as id from unnest($1::text[]) n(name)',
    values: [encodeTexts(shapes.map(({ name }) => name))],
  };
}

import pg from 'pg';
import type { ICreateBatchOperationRequest, JsonRow } from '../src/client/index.js';

/** The outcome of a write that a program does itself. */
export interface RowOutcome {
  ok: boolean;
  rowsAffected: number;
  sqlState?: string;
  constraint?: string;
  column?: string;
}

const PRIMARY_KEYS: ReadonlyMap<string, string[]> = new Map([
  ['customers', ['id']],
  ['stock', ['sku']],
  ['orders', ['id']],
  ['order_items', ['order_id', 'sku']],
]);

/**
 * Executes an operation alone, in a transaction of its own, as a program without the service would. The demo checks the service against
 * it, so it uses none of the service's code.
 */
export async function executeAlone(client: pg.ClientBase, request: ICreateBatchOperationRequest): Promise<RowOutcome> {
  try {
    const { rowCount } = await client.query(toSql(request));
    const rowsAffected = rowCount ?? 0;
    return { ok: rowsAffected > 0 || request.mustExist !== true, rowsAffected };
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    const { code: sqlState, constraint, column } = error;
    return { ok: false, rowsAffected: 0, sqlState, constraint, column };
  }
}

/** One parameterised statement. All names are the demo's own, so they need no quotes. */
export function toSql(request: ICreateBatchOperationRequest): pg.QueryConfig {
  const { operationType, target, key = {}, values = {} } = request;
  switch (operationType) {
    case 'insert':
      return insert(target, values, request.onConflict === 'ignore' ? 'on conflict do nothing' : '');
    case 'upsert':
      return insert(target, values, overwrite(request.conflictKey ?? PRIMARY_KEYS.get(target) ?? [], values));
    case 'update':
      return update(target, key, values, (column, parameter) => `${column} = ${parameter}`);
    case 'increment':
      return update(target, key, values, (column, parameter) => `${column} = ${column} + ${parameter}`);
    case 'delete':
      return { text: `delete from ${target} where ${conditions(key, 1)}`, values: Object.values(key) };
    default:
      return operationType satisfies never;
  }
}

function insert(target: string, row: JsonRow, onConflict: string): pg.QueryConfig {
  const columns = Object.keys(row);
  const parameters = columns.map((_, index) => `$${index + 1}`);
  return {
    text: `insert into ${target} (${columns.join(', ')}) values (${parameters.join(', ')}) ${onConflict}`.trim(),
    values: Object.values(row),
  };
}

function overwrite(key: readonly string[], row: JsonRow): string {
  const others = Object.keys(row).filter((column) => !key.includes(column));
  return `on conflict (${key.join(', ')}) do update set ${others.map((column) => `${column} = excluded.${column}`).join(', ')}`;
}

function update(
  target: string,
  key: JsonRow,
  row: JsonRow,
  assign: (column: string, parameter: string) => string,
): pg.QueryConfig {
  const columns = Object.keys(row);
  const assignments = columns.map((column, index) => assign(column, `$${index + 1}`));
  return {
    text: `update ${target} set ${assignments.join(', ')} where ${conditions(key, columns.length + 1)}`,
    values: [...Object.values(row), ...Object.values(key)],
  };
}

function conditions(key: JsonRow, first: number): string {
  return Object.keys(key)
    .map((column, index) => `${column} = $${first + index}`)
    .join(' and ');
}

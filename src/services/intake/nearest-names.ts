import type { Table } from '../catalog/table.js';
import { parseTargetName, tableId } from '../catalog/target-name.js';
import { nearestName } from '../errors/nearest-name.js';

const MAX_NAME_LENGTH = 63;
const MAX_COLUMNS_SOUGHT = 20;
const MAX_TABLES_SOUGHT = 2;
/** With more tables, no table is suggested. */
const MAX_TABLES = 5000;

const DEFAULT_PREFIX = 'public.';

/**
 * Suggests columns and tables for the unknown names of one request. A request may have ten thousand of them, and each
 * is compared with all columns of its table, or with all tables. Only the first few different ones are looked up,
 * because all other requests wait meanwhile.
 */
export class NearestNames {
  private readonly columns = new Map<string, string | undefined>();
  private readonly tables = new Map<string, string | undefined>();

  /** @param tableIds those (`Table.id`) that the caller may know of */
  constructor(private readonly tableIds: () => readonly string[] = () => []) {}

  column(table: Table, wanted: string): string | undefined {
    // Longer than any identifier of PostgreSQL.
    if (wanted.length > MAX_NAME_LENGTH) return undefined;
    const search = JSON.stringify([table.id, wanted]);
    return remembered(this.columns, search, MAX_COLUMNS_SOUGHT, () => nearestName(wanted, table.columns.keys()));
  }

  /** As callers write it: only the name for schema public, else schema and name. */
  table(wanted: string): string | undefined {
    const name = parseTargetName(wanted);
    if (name === undefined || name.name.length > MAX_NAME_LENGTH || name.schema.length > MAX_NAME_LENGTH)
      return undefined;
    return remembered(this.tables, tableId(name), MAX_TABLES_SOUGHT, () => {
      const ids = this.tableIds();
      if (ids.length > MAX_TABLES) return undefined;
      const id = nearestName(tableId(name), ids) ?? ids.find((each) => parseTargetName(each)?.name === name.name);
      return id?.startsWith(DEFAULT_PREFIX) === true ? id.slice(DEFAULT_PREFIX.length) : id;
    });
  }
}

function remembered(
  sought: Map<string, string | undefined>,
  search: string,
  most: number,
  seek: () => string | undefined,
): string | undefined {
  if (!sought.has(search) && sought.size < most) sought.set(search, seek());
  return sought.get(search);
}

import { BatchError } from '../model/batch-error.js';
import { listSome } from '../model/list-some.js';

export interface ItemColumnsOptions {
  table: string;
  /** Members of the items. Default: those of the first item; then all items must have the same. */
  columns?: readonly string[];
}

/** What an item has of its own under the name of a column, which may be `constructor` or `__proto__`. */
export const memberOf = (item: object, name: string): unknown =>
  Object.hasOwn(item, name) ? Reflect.get(item, name) : undefined;

/** Which members of items are written. */
export class ItemColumns {
  private names: readonly string[] | undefined;

  constructor(
    private readonly options: ItemColumnsOptions,
    /** Columns that every item must have. */
    private readonly key: readonly string[] = [],
  ) {
    this.names = options.columns;
  }

  /** Takes the members of the next item as those of all. */
  forget(): void {
    this.names = this.options.columns;
  }

  /** Those of the key first. @param first the first item of a chunk */
  of(first: object): readonly string[] {
    this.names ??= Object.keys(first);
    return [...new Set([...this.key, ...this.names])];
  }

  /** @throws BatchError ITEM_COLUMNS_DIFFER. @param index of the item in its chunk. @param columns those of `of` */
  check(item: object, index: number, columns: readonly { name: string }[]): void {
    const isColumn = (member: string): boolean => columns.some(({ name }) => name === member);
    const missing = columns.map(({ name }) => name).filter((name) => !Object.hasOwn(item, name));
    const more = this.options.columns === undefined ? Object.keys(item).filter((member) => !isColumn(member)) : [];
    if (missing.length + more.length === 0) return;
    const names = columns.map(({ name }) => name);
    const faults = [
      missing.length > 0 ? `has no ${missing.join(', ')}` : '',
      more.length > 0 ? `also has ${listSome(more, String, ', ')}` : '',
    ].filter((fault) => fault !== '');
    throw new BatchError(
      'ITEM_COLUMNS_DIFFER',
      `Table "${this.options.table}" gets the columns ${names.join(', ')}, and item ${index + 1} of those written ${faults.join(' and ')}. ` +
        'Give all items the same members, or name the "columns" of the writer.',
    );
  }
}

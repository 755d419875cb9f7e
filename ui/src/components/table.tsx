import type { ComponentChildren, JSX } from 'preact';
import { pageAddress, path, query } from '../state/location.js';

export interface Column<T> {
  name: string;
  /** A number is set to the right. */
  numeric?: boolean;
  cell: (row: T) => ComponentChildren;
}

/** A table that becomes cards where the window is narrow: each cell carries the name of its column. */
export function Table<T>({
  caption,
  columns,
  rows,
  rowKey,
}: {
  caption: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string;
}): JSX.Element {
  return (
    <div class="scroll">
      <table class="table">
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ name, numeric }) => (
              <th key={name} scope="col" class={numeric === true ? 'numeric' : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              {columns.map(({ name, numeric, cell }) => (
                <td key={name} data-name={name} class={numeric === true ? 'numeric' : undefined}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The way through a list by keys: on from the last item of this page, and back by the browser. */
export function Pager({
  nextCursor,
  parameter = 'cursor',
  label = 'Pages of the list',
}: {
  nextCursor: string | undefined;
  /** Where the address has the cursor. */
  parameter?: string;
  label?: string;
}): JSX.Element | null {
  const { [parameter]: cursor, ...filters } = Object.fromEntries(query.value);
  if (cursor === undefined && nextCursor === undefined) return null;
  return (
    <nav class="pager" aria-label={label}>
      {cursor !== undefined && (
        <>
          <a class="button" href={pageAddress(path.value, filters)}>
            First page
          </a>
          <button type="button" class="button" onClick={() => window.history.back()}>
            Back
          </button>
        </>
      )}
      {nextCursor !== undefined ? (
        <a class="button" href={pageAddress(path.value, { ...filters, [parameter]: nextCursor })}>
          Next page
        </a>
      ) : (
        <span class="muted">End of the list</span>
      )}
    </nav>
  );
}

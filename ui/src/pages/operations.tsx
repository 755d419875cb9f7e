import type { IOperationFilter } from '../../../src/interfaces/operation-filter.js';
import type { JSX } from 'preact';
import { FAILURE_CODES } from '../../../src/interfaces/error.js';
import { OPERATION_STATUSES, type IBatchOperation, type IPage } from '../../../src/interfaces/operation.js';
import { listOperations, operationsPath } from '../api/endpoints.js';
import { asCurl } from '../api/request.js';
import { Copy, Empty, Loaded, Page, ShortId, Time } from '../components/basics.js';
import { BulkButton } from '../components/bulk.js';
import { Filters, type FilterField } from '../components/filters.js';
import { count, json, shortTarget } from '../components/format.js';
import { OperationActions } from '../components/operation-actions.js';
import { OperationBadge } from '../components/status.js';
import { Pager, Table } from '../components/table.js';
import { goTo, pageAddress, query } from '../state/location.js';
import { useResource } from '../state/resource.js';

const FIELDS: readonly FilterField[] = [
  { name: 'status', label: 'Status', choices: OPERATION_STATUSES },
  { name: 'target', label: 'Table', placeholder: 'orders' },
  { name: 'source', label: 'Source', placeholder: 'shop' },
  { name: 'code', label: 'Error code', choices: FAILURE_CODES },
  { name: 'constraint', label: 'Constraint', more: true },
  { name: 'chunkId', label: 'Chunk', more: true },
  { name: 'createdAfter', label: 'Accepted after', time: true, more: true },
  { name: 'createdBefore', label: 'Accepted before', time: true, more: true },
  { name: 'settledAfter', label: 'Settled after', time: true, more: true },
  { name: 'settledBefore', label: 'Settled before', time: true, more: true },
];
const PAGE = 50;
const POLL_MS = 5000;

export function OperationsPage(): JSX.Element {
  const given = Object.fromEntries(query.value);
  const filter = Object.fromEntries(
    FIELDS.flatMap(({ name }) => (given[name] ? [[name, given[name]]] : [])),
  ) as IOperationFilter;
  const asked = { ...filter, ids: undefined, limit: PAGE, cursor: given.cursor };
  const page = useResource(operationsPath(asked), (stop) => listOperations(asked, stop), {
    ...(given.cursor === undefined && { pollMs: POLL_MS }),
  });
  const unlimited =
    Object.keys(filter).length === 0 ? 'Choose a filter first: this would concern every operation' : undefined;
  return (
    <Page
      title="Operations"
      actions={
        <>
          <BulkButton action="retry" filter={filter} label="Retry all of these" refused={unlimited} />
          <BulkButton action="cancel" filter={filter} label="Cancel all of these" refused={unlimited} />
          <BulkButton action="erase" filter={filter} label="Erase all of these" refused={unlimited} />
          <Copy text={asCurl(operationsPath(asked))} shown="Copy as curl" />
        </>
      }
    >
      <FindById />
      <Filters fields={FIELDS} label="Filter the operations" />
      <Loaded from={page}>{(found) => <Operations page={found} limited={unlimited === undefined} />}</Loaded>
    </Page>
  );
}

/** Most who come have an id from a log. */
function FindById(): JSX.Element {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const id = (new FormData(event.currentTarget as HTMLFormElement).get('id') as string).trim();
    if (id !== '') goTo(pageAddress(`/operations/${encodeURIComponent(id)}`));
  };
  return (
    <form class="filters" role="search" aria-label="Find an operation by its id" onSubmit={submit}>
      <label>
        Id
        <input
          type="text"
          name="id"
          class="long"
          placeholder="0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f"
          spellcheck={false}
        />
      </label>
      <button type="submit" class="button">
        Open
      </button>
    </form>
  );
}

function Operations({
  page: { items, nextCursor },
  limited,
}: {
  page: IPage<IBatchOperation>;
  limited: boolean;
}): JSX.Element {
  return (
    <>
      {items.length === 0 ? (
        <Empty title={nextCursor === undefined ? 'No operations.' : 'Nothing on this page.'}>
          {limited ? 'Nothing matches the filter.' : 'As soon as a service sends one, it is here.'}
        </Empty>
      ) : (
        <Table
          caption="Operations, newest first"
          rows={items}
          rowKey={({ id }) => id}
          columns={[
            { name: 'Operation', cell: ({ id }) => <ShortId id={id} href={pageAddress(`/operations/${id}`)} /> },
            { name: 'Status', cell: ({ status }) => <OperationBadge status={status} /> },
            { name: 'Type', cell: ({ operationType }) => operationType },
            { name: 'Table', cell: ({ target }) => shortTarget(target) },
            { name: 'Row', cell: (operation) => <code class="cut">{rowText(operation)}</code> },
            { name: 'Error', cell: ({ error }) => error?.code ?? '' },
            { name: 'Attempts', numeric: true, cell: ({ attempts }) => count(attempts) },
            { name: 'Source', cell: ({ source }) => source ?? '' },
            {
              name: 'Chunk',
              cell: ({ chunkId }) =>
                chunkId === undefined ? '' : <a href={pageAddress(`/chunks/${chunkId}`)}>{chunkId}</a>,
            },
            { name: 'Accepted', cell: ({ createdAt }) => <Time at={createdAt} /> },
            { name: 'Actions', cell: (operation) => <OperationActions operation={operation} /> },
          ]}
        />
      )}
      <Pager nextCursor={nextCursor} />
    </>
  );
}

const SHOWN = 80;

function rowText({ key, values }: IBatchOperation): string {
  const text = json(key ?? values ?? {});
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

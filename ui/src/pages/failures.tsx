import type { IFailureGroup } from '../../../src/interfaces/failure.js';
import type { IOperationFilter } from '../../../src/interfaces/operation-filter.js';
import type { JSX } from 'preact';
import { FAILURE_CODES, type FailureCode } from '../../../src/interfaces/error.js';
import { listFailures } from '../api/endpoints.js';
import { Empty, Loaded, Page, Time } from '../components/basics.js';
import { BulkButton } from '../components/bulk.js';
import { Filters, isLimited, type FilterField } from '../components/filters.js';
import { count, estimated, shortTarget } from '../components/format.js';
import { Pager, Table } from '../components/table.js';
import { pageAddress, query, type Query } from '../state/location.js';
import { useResource } from '../state/resource.js';

const FIELDS: readonly FilterField[] = [
  { name: 'code', label: 'Code', choices: FAILURE_CODES },
  { name: 'target', label: 'Table', placeholder: 'orders' },
  { name: 'source', label: 'Source', placeholder: 'shop' },
  { name: 'since', label: 'Since', time: true },
];
const PAGE = 100;
const POLL_MS = 5000;

export function FailuresPage(): JSX.Element {
  const { code, target, source, since, cursor } = Object.fromEntries(query.value);
  const asked = { code, target, source, since, cursor, limit: PAGE };
  const page = useResource(`failures ${JSON.stringify(asked)}`, (stop) => listFailures(asked, stop), {
    ...(cursor === undefined && { pollMs: POLL_MS }),
  });
  return (
    <Page
      title="Failures"
      lead="Failed operations that are kept, grouped by what refused them. A group is retried as a whole when its cause is gone."
    >
      <Filters fields={FIELDS} label="Filter the failures" />
      <Loaded from={page}>
        {({ items, nextCursor, examined, isComplete }) => (
          <>
            {items.length === 0 ? (
              <Empty title={isLimited(FIELDS) ? 'Nothing matches the filter.' : 'No operation has failed.'} />
            ) : (
              <Groups groups={items} source={source} />
            )}
            {!isComplete && (
              <p class="muted">
                The last {count(examined)} failures were looked at. There are more, and groups without a recent failure
                may be missing.
              </p>
            )}
            <Pager nextCursor={nextCursor} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Groups({ groups, source }: { groups: IFailureGroup[]; source: string | undefined }): JSX.Element {
  const filterOf = ({ code, constraint, target }: IFailureGroup): IOperationFilter => ({
    status: 'failed',
    code: code as FailureCode,
    target,
    ...(constraint !== undefined && { constraint }),
    ...(source !== undefined && { source }),
  });
  return (
    <Table
      caption="Failures by code, constraint and table"
      rows={groups}
      rowKey={({ code, constraint, target }) => `${code} ${constraint} ${target}`}
      columns={[
        {
          name: 'Code',
          cell: (group) => (
            <>
              <a href={pageAddress('/operations', filterOf(group) as Query)}>{group.code}</a>
              {group.constraint !== undefined && (
                <p>
                  <code>{group.constraint}</code>
                </p>
              )}
            </>
          ),
        },
        { name: 'Table', cell: ({ target }) => shortTarget(target) },
        {
          name: 'Operations',
          numeric: true,
          cell: (group) => estimated(group.count, group.countIsExact),
        },
        { name: 'First', cell: ({ firstAt }) => <Time at={firstAt} /> },
        { name: 'Last', cell: ({ lastAt }) => <Time at={lastAt} /> },
        {
          name: 'One of them',
          cell: ({ example }) => (
            <a class="two-lines" href={pageAddress(`/operations/${example.id}`)} title={example.message}>
              {example.message}
            </a>
          ),
        },
        {
          name: 'Actions',
          cell: (group) => <BulkButton action="retry" filter={filterOf(group)} label="Retry all" />,
        },
      ]}
    />
  );
}

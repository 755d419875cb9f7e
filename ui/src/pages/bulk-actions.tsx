import type { IBulkAction } from '../../../src/interfaces/bulk-action.js';
import type { JSX } from 'preact';
import { getBulkAction, listBulkActions, stopBulkAction } from '../api/endpoints.js';
import { Action } from '../components/actions.js';
import { Empty, Facts, Id, Loaded, Page, Problem, Progress, Section, ShortId, Time } from '../components/basics.js';
import { FilterText } from '../components/bulk.js';
import { count, plural } from '../components/format.js';
import { BulkBadge } from '../components/status.js';
import { Pager, Table } from '../components/table.js';
import { pageAddress, query } from '../state/location.js';
import { useResource } from '../state/resource.js';

const POLL_MS = 1000;
const PAGE = 50;

export function BulkActionsPage(): JSX.Element {
  const cursor = query.value.get('cursor') ?? undefined;
  const page = useResource(`bulk actions ${cursor}`, (stop) => listBulkActions({ limit: PAGE, cursor }, stop), {
    ...(cursor === undefined && { pollMs: POLL_MS * 5 }),
  });
  return (
    <Page
      title="Bulk actions"
      lead="Retries, cancellations and erasures of many operations. They go on without this page."
    >
      <Loaded from={page}>
        {({ items, nextCursor }) => (
          <>
            {items.length === 0 ? (
              <Empty title="No bulk action was begun.">
                Choose operations on <a href={pageAddress('/operations')}>their page</a>, or a group of{' '}
                <a href={pageAddress('/failures')}>failures</a>.
              </Empty>
            ) : (
              <Table
                caption="Bulk actions, newest first"
                rows={items}
                rowKey={({ id }) => id}
                columns={[
                  {
                    name: 'Bulk action',
                    cell: ({ id }) => <ShortId id={id} href={pageAddress(`/bulk-actions/${id}`)} />,
                  },
                  { name: 'What', cell: ({ action }) => action },
                  { name: 'Status', cell: ({ status }) => <BulkBadge status={status} /> },
                  { name: 'Progress', cell: (each) => <Done action={each} /> },
                  { name: 'Of', cell: ({ filter }) => <FilterText filter={filter} /> },
                  { name: 'By', cell: ({ createdBy }) => createdBy ?? '' },
                  { name: 'Begun', cell: ({ createdAt }) => <Time at={createdAt} /> },
                ]}
              />
            )}
            <Pager nextCursor={nextCursor} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

export function BulkActionPage({ id }: { id: string }): JSX.Element {
  const action = useResource(`bulk action ${id}`, (stop) => getBulkAction(id, stop), { pollMs: POLL_MS });
  const found = action.data;
  return (
    <Page
      title="Bulk action"
      actions={
        found?.status === 'running' && (
          <Action
            label="Stop"
            scope="write"
            danger
            done="The bulk action stops."
            work={() => stopBulkAction(id)}
            confirm={<p>What was done stays done. The rest is left as it is.</p>}
          />
        )
      }
    >
      <Loaded from={action}>{(each) => <BulkAction action={each} />}</Loaded>
    </Page>
  );
}

function BulkAction({ action }: { action: IBulkAction }): JSX.Element {
  const { id, status, filter, matched, done, skipped, createdAt, endedAt, createdBy, error } = action;
  return (
    <>
      <div class="panel">
        <Done action={action} />
      </div>
      {error !== undefined && <Problem error={new Error(error)} />}
      <Section title="What it is">
        <Facts
          facts={[
            { name: 'Id', value: <Id id={id} /> },
            { name: 'What', value: action.action },
            { name: 'Status', value: <BulkBadge status={status} /> },
            { name: 'Matched', value: count(matched) },
            { name: 'Done', value: count(done) },
            { name: 'Skipped', value: count(skipped) },
            createdBy !== undefined && { name: 'By', value: createdBy },
            { name: 'Begun', value: <Time at={createdAt} /> },
            endedAt !== undefined && { name: 'Ended', value: <Time at={endedAt} /> },
            { name: 'Of', value: <FilterText filter={filter} /> },
          ]}
        />
        <p class="actions">
          <a class="button" href={pageAddress('/operations', { ...filter, ids: undefined })}>
            The operations of this filter now
          </a>
        </p>
      </Section>
    </>
  );
}

/** More may match while it runs, so it is never shown as more than complete. */
function Done({ action: { status, matched, done, skipped } }: { action: IBulkAction }): JSX.Element {
  const passed = done + skipped;
  const value = status === 'completed' || matched === 0 ? 1 : Math.min(1, passed / matched);
  const text = `${count(done)} of ${plural(matched, 'operation')}${skipped > 0 ? `, ${count(skipped)} skipped` : ''}`;
  return <Progress value={value} label="Progress of the bulk action" text={text} />;
}

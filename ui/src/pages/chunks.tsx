import type { JSX } from 'preact';
import { listChunks } from '../api/endpoints.js';
import { Badge, Empty, Loaded, Page, Time } from '../components/basics.js';
import { Filters, isLimited, type FilterField } from '../components/filters.js';
import { count, duration } from '../components/format.js';
import { Pager, Table } from '../components/table.js';
import { pageAddress, query } from '../state/location.js';
import { useResource } from '../state/resource.js';

const FIELDS: readonly FilterField[] = [
  { name: 'failed', label: 'Failures', choices: [['true', 'with failures']] },
  {
    name: 'fallback',
    label: 'Isolation',
    choices: [
      ['true', 'isolated'],
      ['false', 'not isolated'],
    ],
  },
  { name: 'worker', label: 'Worker' },
];
const PAGE = 50;
const POLL_MS = 5000;

export function ChunksPage(): JSX.Element {
  const { failed, fallback, worker, cursor } = Object.fromEntries(query.value);
  const asked = { failed, fallback, worker, cursor, limit: PAGE };
  const page = useResource(`chunks ${JSON.stringify(asked)}`, (stop) => listChunks(asked, stop), {
    ...(cursor === undefined && { pollMs: POLL_MS }),
  });
  return (
    <Page
      title="Chunks"
      lead="A chunk is one transaction: the operations that were claimed, grouped, executed and settled together."
    >
      <Filters fields={FIELDS} label="Filter the chunks" />
      <Loaded from={page}>
        {({ items, nextCursor }) => (
          <>
            {items.length === 0 ? (
              <Empty title="No chunks.">
                {isLimited(FIELDS) ? 'Nothing matches the filter.' : 'A worker makes one as soon as operations wait.'}
              </Empty>
            ) : (
              <Table
                caption="Chunks, newest first"
                rows={items}
                rowKey={({ id }) => id}
                columns={[
                  { name: 'Chunk', cell: ({ id }) => <a href={pageAddress(`/chunks/${id}`)}>{id}</a> },
                  { name: 'Operations', numeric: true, cell: ({ operations }) => count(operations) },
                  {
                    name: 'Failed',
                    numeric: true,
                    cell: (chunk) =>
                      chunk.failed === 0 ? '0' : <Badge tone="bad">{count(chunk.failed)} failed</Badge>,
                  },
                  { name: 'Groups', numeric: true, cell: ({ groups }) => count(groups) },
                  { name: 'Statements', numeric: true, cell: ({ statements }) => count(statements) },
                  {
                    name: 'Isolation',
                    cell: (chunk) => (chunk.fallback ? <Badge tone="warn">isolated</Badge> : ''),
                  },
                  { name: 'Time', numeric: true, cell: ({ durationMs }) => duration(durationMs) },
                  { name: 'Worker', cell: (chunk) => <code>{chunk.worker}</code> },
                  { name: 'Settled', cell: ({ settledAt }) => <Time at={settledAt} /> },
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

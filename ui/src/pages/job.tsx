import type { JSX } from 'preact';
import { getJob, listExecutionsOf } from '../api/endpoints.js';
import { Empty, Facts, Loaded, Page, Section } from '../components/basics.js';
import { Executions } from '../components/executions.js';
import { StartJob } from '../components/start-job.js';
import { Pager, Table } from '../components/table.js';
import { query } from '../state/location.js';
import { useResource } from '../state/resource.js';

const PAGE = 50;
const POLL_MS = 2000;

export function JobPage({ name }: { name: string }): JSX.Element {
  const cursor = query.value.get('cursor') ?? undefined;
  const job = useResource(`job ${name}`, (stop) => getJob(name, stop));
  const executions = useResource(
    `executions of ${name} ${cursor}`,
    (stop) => listExecutionsOf(name, { limit: PAGE, cursor }, stop),
    { ...(cursor === undefined && { pollMs: POLL_MS }) },
  );
  return (
    <Page title={name} actions={job.data && <StartJob job={job.data} />} lead={job.data?.description}>
      <Loaded from={job}>
        {({ restartable, hasNextInstance, parameters }) => (
          <>
            <Facts
              facts={[
                { name: 'Restartable', value: restartable ? 'yes' : 'no' },
                { name: 'Has a next instance', value: hasNextInstance ? 'yes' : 'no' },
                { name: 'Parameters', value: parameters === undefined ? 'any' : String(parameters.length) },
              ]}
            />
            {parameters !== undefined && parameters.length > 0 && (
              <Section title="Parameters">
                <Table
                  caption="Declared parameters"
                  rows={parameters}
                  rowKey={(each) => each.name}
                  columns={[
                    { name: 'Name', cell: (each) => <code>{each.name}</code> },
                    { name: 'Type', cell: ({ type }) => type },
                    { name: 'Required', cell: ({ required }) => (required ? 'yes' : 'no') },
                    { name: 'Identifying', cell: ({ identifying }) => (identifying ? 'yes' : 'no') },
                    { name: 'Default', cell: (each) => each.default ?? '' },
                    { name: 'Choices', cell: ({ choices }) => choices?.join(', ') ?? '' },
                    { name: 'What it is', cell: ({ description }) => description ?? '' },
                  ]}
                />
              </Section>
            )}
            <Section title="Executions">
              <Loaded from={executions}>
                {({ items, nextCursor }) => (
                  <>
                    {items.length === 0 ? (
                      <Empty title="It has never run." />
                    ) : (
                      <Executions executions={items} caption="Executions, newest first" />
                    )}
                    <Pager nextCursor={nextCursor} />
                  </>
                )}
              </Loaded>
            </Section>
          </>
        )}
      </Loaded>
    </Page>
  );
}

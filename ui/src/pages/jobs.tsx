import type { JSX } from 'preact';
import { listExecutions, listJobs } from '../api/endpoints.js';
import { Empty, Loaded, Page, Section, Time } from '../components/basics.js';
import { Executions, ExecutionStatus } from '../components/executions.js';
import { StartJob } from '../components/start-job.js';
import { Pager, Table } from '../components/table.js';
import { pageAddress, query } from '../state/location.js';
import { useResource } from '../state/resource.js';

const PAGE = 20;
const POLL_MS = 2000;

export function JobsPage(): JSX.Element {
  const cursor = query.value.get('cursor') ?? undefined;
  const jobs = useResource('jobs', listJobs, { pollMs: POLL_MS });
  const executions = useResource(`executions ${cursor}`, (stop) => listExecutions({ limit: PAGE, cursor }, stop), {
    ...(cursor === undefined && { pollMs: POLL_MS }),
  });
  return (
    <Page title="Jobs">
      <Loaded from={jobs}>
        {(found) =>
          found.length === 0 ? (
            <Empty title="This service knows no jobs.">docs/jobs.md says how to write one.</Empty>
          ) : (
            <Table
              caption="Jobs"
              rows={found}
              rowKey={({ name }) => name}
              columns={[
                {
                  name: 'Job',
                  cell: ({ name }) => <a href={pageAddress(`/jobs/${encodeURIComponent(name)}`)}>{name}</a>,
                },
                { name: 'What it does', cell: ({ description }) => description ?? '' },
                {
                  name: 'Last execution',
                  cell: ({ lastExecution }) =>
                    lastExecution === undefined ? (
                      'never'
                    ) : (
                      <>
                        <ExecutionStatus execution={lastExecution} />{' '}
                        <a href={pageAddress(`/executions/${lastExecution.id}`)}>execution {lastExecution.id}</a>,{' '}
                        <Time at={lastExecution.createdAt} />
                      </>
                    ),
                },
                { name: 'Actions', cell: (job) => <StartJob job={job} /> },
              ]}
            />
          )
        }
      </Loaded>
      <Section title="Executions">
        <Loaded from={executions}>
          {({ items, nextCursor }) => (
            <>
              {items.length === 0 ? (
                <Empty title="No job has run." />
              ) : (
                <Executions executions={items} caption="Executions of all jobs, newest first" withJob />
              )}
              <Pager nextCursor={nextCursor} />
            </>
          )}
        </Loaded>
      </Section>
    </Page>
  );
}

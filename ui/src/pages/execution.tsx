import type { JSX } from 'preact';
import type { BatchStatus, IJobExecutionDetail, IStepExecution } from '../../../src/interfaces/job.js';
import { abandonExecution, getExecution, listSkippedItems, restartExecution, stopExecution } from '../api/endpoints.js';
import { Action } from '../components/actions.js';
import { Code, Empty, Facts, Json, Loaded, Page, Progress, Section, Time } from '../components/basics.js';
import { ExecutionStatus, Parameters, Took } from '../components/executions.js';
import { count } from '../components/format.js';
import { JobBadge } from '../components/status.js';
import { Pager, Table, type Column } from '../components/table.js';
import { goTo, pageAddress, query } from '../state/location.js';
import { useResource } from '../state/resource.js';

const POLL_MS = 1000;
const PAGE = 50;
const RUNNING: readonly BatchStatus[] = ['STARTING', 'STARTED', 'STOPPING'];

export function ExecutionPage({ id }: { id: string }): JSX.Element {
  const execution = useResource(`execution ${id}`, (stop) => getExecution(id, stop), { pollMs: POLL_MS });
  return (
    <Page title={`Execution ${id}`} actions={execution.data && <Actions execution={execution.data} />}>
      <Loaded from={execution}>{(found) => <Execution execution={found} />}</Loaded>
    </Page>
  );
}

function Actions({ execution: { id, status } }: { execution: IJobExecutionDetail }): JSX.Element {
  const restart = async (): Promise<void> => {
    const next = await restartExecution(id);
    goTo(pageAddress(`/executions/${next.id}`));
  };
  const running = RUNNING.includes(status);
  return (
    <>
      {running && status !== 'STOPPING' && (
        <Action
          label="Stop"
          scope="admin"
          danger
          done="It stops after the chunk that it works on."
          work={() => stopExecution(id)}
          confirm={<p>It stops after the chunk that it works on, and may be restarted.</p>}
        />
      )}
      {(status === 'FAILED' || status === 'STOPPED') && (
        <>
          <Action label="Restart" scope="admin" primary done="It goes on where it was." work={restart} />
          <Action
            label="Abandon"
            scope="admin"
            danger
            done="The execution is given up."
            work={() => abandonExecution(id)}
            confirm={<p>Its instance is never run again. What it has written stays.</p>}
          />
        </>
      )}
    </>
  );
}

function Execution({ execution }: { execution: IJobExecutionDetail }): JSX.Element {
  const { job, instanceId, parameters, exitCode, exitDescription, createdAt, steps, context } = execution;
  const partitions = steps.filter(isPartition);
  return (
    <>
      <Facts
        facts={[
          { name: 'Job', value: <a href={pageAddress(`/jobs/${encodeURIComponent(job)}`)}>{job}</a> },
          { name: 'Status', value: <ExecutionStatus execution={execution} /> },
          { name: 'Exit code', value: exitCode },
          { name: 'Instance', value: instanceId },
          { name: 'Created', value: <Time at={createdAt} /> },
          { name: 'Took', value: <Took {...execution} /> },
          Object.keys(parameters).length > 0 && { name: 'Parameters', value: <Parameters parameters={parameters} /> },
        ]}
      />
      {exitDescription !== '' && (
        <Section title="Why it ended">
          <Code text={exitDescription} label="Exit description" />
        </Section>
      )}
      <Section title="Steps">
        {steps.length === 0 ? (
          <Empty title="No step has begun." />
        ) : (
          <Table
            caption="Steps in the order of their start"
            rows={steps.filter((step) => !isPartition(step))}
            rowKey={({ id }) => id}
            columns={STEP_COLUMNS}
          />
        )}
      </Section>
      {partitions.length > 0 && (
        <Section title="Partitions, side by side">
          <div class="partitions">
            {partitions.map((step) => (
              <Partition key={step.id} step={step} />
            ))}
          </div>
        </Section>
      )}
      <Skips id={execution.id} />
      <Section title="Contexts">
        <Contexts context={context} steps={steps} />
      </Section>
    </>
  );
}

const isPartition = ({ name }: IStepExecution): boolean => name.includes(':');

const STEP_COLUMNS: readonly Column<IStepExecution>[] = [
  { name: 'Step', cell: ({ name }) => <code>{name}</code> },
  { name: 'Status', cell: ({ status }) => <JobBadge status={status} /> },
  {
    name: 'Progress',
    cell: ({ name, progress, status }) =>
      progress === undefined ? (
        RUNNING.includes(status) ? (
          'not known'
        ) : (
          ''
        )
      ) : (
        <Progress value={progress} label={`Progress of step ${name}`} />
      ),
  },
  { name: 'Read', numeric: true, cell: ({ readCount }) => count(readCount) },
  { name: 'Filtered', numeric: true, cell: ({ filterCount }) => count(filterCount) },
  { name: 'Written', numeric: true, cell: ({ writeCount }) => count(writeCount) },
  { name: 'Skipped', numeric: true, cell: (step) => <span title={skipText(step)}>{count(skipsOf(step))}</span> },
  { name: 'Commits', numeric: true, cell: ({ commitCount }) => count(commitCount) },
  { name: 'Rollbacks', numeric: true, cell: ({ rollbackCount }) => count(rollbackCount) },
  { name: 'Took', cell: (step) => <Took {...step} /> },
  {
    name: 'Exit',
    cell: ({ exitCode, exitDescription }) => (
      <>
        {exitCode}
        {exitDescription !== '' && <p class="small">{exitDescription.split('\n')[0]}</p>}
      </>
    ),
  },
];

const skipsOf = ({ readSkipCount, processSkipCount, writeSkipCount }: IStepExecution): number =>
  readSkipCount + processSkipCount + writeSkipCount;
const skipText = ({ readSkipCount, processSkipCount, writeSkipCount }: IStepExecution): string =>
  `${readSkipCount} at reading, ${processSkipCount} at processing, ${writeSkipCount} at writing`;

function Partition({ step }: { step: IStepExecution }): JSX.Element {
  const { name, status, progress, readCount, writeCount, exitDescription } = step;
  return (
    <div class="panel">
      <code>{name}</code>
      <JobBadge status={status} />
      {progress !== undefined && <Progress value={progress} label={`Progress of partition ${name}`} />}
      <span class="small">
        {count(readCount)} read, {count(writeCount)} written, {count(skipsOf(step))} skipped
      </span>
      {exitDescription !== '' && <span class="small">{exitDescription.split('\n')[0]}</span>}
    </div>
  );
}

function Skips({ id }: { id: string }): JSX.Element {
  const cursor = query.value.get('cursor') ?? undefined;
  const skips = useResource(`skips ${id} ${cursor}`, (stop) => listSkippedItems(id, { limit: PAGE, cursor }, stop), {
    ...(cursor === undefined && { pollMs: POLL_MS * 3 }),
  });
  return (
    <Section title="Skipped items">
      <Loaded from={skips}>
        {({ items, nextCursor }) => (
          <>
            {items.length === 0 ? (
              <Empty title="No item was skipped." />
            ) : (
              <Table
                caption="Skipped items with their errors"
                rows={items}
                rowKey={(item) => item.id}
                columns={[
                  { name: 'Step', cell: ({ step }) => <code>{step}</code> },
                  { name: 'At', cell: ({ phase }) => phase },
                  { name: 'Error', cell: ({ error, message }) => `${error}: ${message}` },
                  {
                    name: 'Item',
                    cell: ({ item }) => (item === undefined ? 'could not be read' : <code>{item}</code>),
                  },
                  { name: 'When', cell: ({ at }) => <Time at={at} /> },
                ]}
              />
            )}
            <Pager nextCursor={nextCursor} />
          </>
        )}
      </Loaded>
    </Section>
  );
}

/** What the job and its steps remember across a restart. */
function Contexts({ context, steps }: { context: unknown; steps: readonly IStepExecution[] }): JSX.Element {
  const all = [{ name: 'the job', context }, ...steps].filter((each) => Object.keys(each.context ?? {}).length > 0);
  if (all.length === 0) return <Empty title="Nothing is remembered." />;
  return (
    <>
      {all.map((each) => (
        <details key={each.name}>
          <summary>{each.name}</summary>
          <Json value={each.context} label={`Context of ${each.name}`} />
        </details>
      ))}
    </>
  );
}

import type { JSX } from 'preact';
import type { IJobExecution, IJobParameterValue } from '../../../src/interfaces/job.js';
import { pageAddress } from '../state/location.js';
import { Age, Badge, Time } from './basics.js';
import { duration } from './format.js';
import { JobBadge } from './status.js';
import { Table } from './table.js';

export function Executions({
  executions,
  caption,
  withJob = false,
}: {
  executions: IJobExecution[];
  caption: string;
  withJob?: boolean;
}): JSX.Element {
  return (
    <Table
      caption={caption}
      rows={executions}
      rowKey={({ id }) => id}
      columns={[
        { name: 'Execution', cell: ({ id }) => <a href={pageAddress(`/executions/${id}`)}>{id}</a> },
        ...(withJob
          ? [
              {
                name: 'Job',
                cell: ({ job }: IJobExecution) => <a href={pageAddress(`/jobs/${encodeURIComponent(job)}`)}>{job}</a>,
              },
            ]
          : []),
        { name: 'Status', cell: (execution) => <ExecutionStatus execution={execution} /> },
        { name: 'Parameters', cell: ({ parameters }) => <Parameters parameters={parameters} /> },
        { name: 'Took', cell: (execution) => <Took {...execution} /> },
        { name: 'Created', cell: ({ createdAt }) => <Time at={createdAt} /> },
        { name: 'Why', cell: ({ exitDescription }) => <span class="cut">{exitDescription.split('\n')[0]}</span> },
      ]}
    />
  );
}

export function ExecutionStatus({ execution: { status, interrupted } }: { execution: IJobExecution }): JSX.Element {
  return (
    <>
      <JobBadge status={status} />{' '}
      {interrupted && (
        <Badge tone="warn" title="Its process has gone. A worker goes on with it by itself.">
          interrupted
        </Badge>
      )}
    </>
  );
}

export function Took({ startedAt, endedAt }: { startedAt?: string; endedAt?: string }): JSX.Element {
  if (startedAt === undefined) return <>not begun</>;
  if (endedAt === undefined) return <Age since={startedAt} />;
  return <>{duration(Date.parse(endedAt) - Date.parse(startedAt))}</>;
}

export function Parameters({ parameters }: { parameters: Readonly<Record<string, IJobParameterValue>> }): JSX.Element {
  return (
    <>
      {Object.entries(parameters).map(([name, { value, identifying }]) => (
        <div key={name}>
          {name} <code>{value}</code>
          {!identifying && <span class="muted"> (not identifying)</span>}
        </div>
      ))}
    </>
  );
}

import type { IWaiting } from '../../../src/interfaces/waiting.js';
import type { ComponentChildren, JSX } from 'preact';
import type { ICreateBatchOperationRequest, IBatchOperation } from '../../../src/interfaces/operation.js';
import { getOperation } from '../api/endpoints.js';
import { asCurl } from '../api/request.js';
import { Copy, Facts, Id, Json, Loaded, Page, Section, ShortId, Time, type Tone } from '../components/basics.js';
import { count, duration, plural, shortTarget } from '../components/format.js';
import { Holders, PauseText, ResumeLane } from '../components/lane.js';
import { OperationActions } from '../components/operation-actions.js';
import { OperationBadge } from '../components/status.js';
import { Table } from '../components/table.js';
import { pageAddress } from '../state/location.js';
import { useResource } from '../state/resource.js';

const POLL_MS = 2000;

export function OperationPage({ id }: { id: string }): JSX.Element {
  const operation = useResource(`operation ${id}`, (stop) => getOperation(id, stop), { pollMs: POLL_MS });
  return (
    <Page title="Operation" actions={operation.data && <Actions operation={operation.data} />}>
      <Loaded from={operation}>{(found) => <Operation operation={found} />}</Loaded>
    </Page>
  );
}

function Actions({ operation }: { operation: IBatchOperation }): JSX.Element {
  return (
    <>
      <OperationActions operation={operation} primary />
      <Copy text={asCurl('operations', { method: 'POST', body: requestOf(operation) })} shown="Copy as curl" />
    </>
  );
}

/** The request as its caller could send it again. The same id makes it the same operation. */
function requestOf(operation: IBatchOperation): ICreateBatchOperationRequest {
  const { id, operationType, target, key, values, onConflict, conflictKey, mustExist, priority, runAt, retry, source } =
    operation;
  return {
    ...{ id, operationType, target, key, values, onConflict, conflictKey, mustExist, runAt, retry, source },
    ...(priority !== 0 && { priority }),
  };
}

function Operation({ operation }: { operation: IBatchOperation }): JSX.Element {
  const { id, status, operationType, target, source, createdBy, priority, error, waiting, erased, erasedAt } =
    operation;
  return (
    <>
      <Facts
        facts={[
          { name: 'Id', value: <Id id={id} /> },
          { name: 'Status', value: <OperationBadge status={status} /> },
          { name: 'What', value: `${operationType} · ${shortTarget(target)}` },
          source !== undefined && {
            name: 'Source',
            value: <a href={pageAddress('/operations', { source })}>{source}</a>,
          },
          createdBy !== undefined && { name: 'Created by', value: createdBy },
          priority !== 0 && { name: 'Priority', value: String(priority) },
          operation.rowsAffected !== undefined && { name: 'Rows changed', value: String(operation.rowsAffected) },
          { name: 'Attempts', value: String(operation.attempts) },
        ]}
      />
      {waiting !== undefined && <Waiting waiting={waiting} />}
      {error !== undefined && <Failure operation={operation} />}
      <Section title="Its life">
        <Life operation={operation} />
      </Section>
      <Section title="The row as it was asked">
        {erased === true ? (
          <p class="note quiet">
            The key and the values were erased
            {erasedAt !== undefined && (
              <>
                {' '}
                <Time at={erasedAt} />
              </>
            )}
            .
          </p>
        ) : (
          <div class="columns">
            {operation.key !== undefined && <Json value={operation.key} label="Key" />}
            {operation.values !== undefined && <Json value={operation.values} label="Values" />}
          </div>
        )}
        <Options operation={operation} />
      </Section>
      {operation.audit !== undefined && operation.audit.length > 0 && (
        <Section title="What was done to it">
          <Table
            caption="What was done to it, oldest first"
            rows={operation.audit}
            rowKey={({ at, act }) => `${at} ${act}`}
            columns={[
              { name: 'When', cell: ({ at }) => <Time at={at} /> },
              { name: 'What', cell: ({ act }) => act },
              { name: 'By', cell: ({ by }) => by ?? 'not known' },
            ]}
          />
        </Section>
      )}
    </>
  );
}

function Options({ operation }: { operation: IBatchOperation }): JSX.Element | null {
  const { onConflict, conflictKey, mustExist, retry, runAt } = operation;
  const options = { onConflict, conflictKey, mustExist, retry, runAt };
  if (Object.values(options).every((value) => value === undefined)) return null;
  return (
    <details>
      <summary>Options</summary>
      <Json value={options} label="Options" />
    </details>
  );
}

const TONES: Record<IWaiting['reason']['kind'], Tone> = {
  turn: 'good',
  running: 'busy',
  lock: 'bad',
  open_transaction: 'bad',
  fault: 'bad',
  parked: 'bad',
  pause: 'warn',
  no_worker: 'bad',
  run_at: 'wait',
  retry: 'warn',
  earlier_operation: 'wait',
};

function Waiting({ waiting }: { waiting: IWaiting }): JSX.Element {
  const { lane, targets, first, reason, text } = waiting;
  return (
    <Section title="Why is it pending?" aside={<a href={pageAddress('/lanes', { lane })}>Lane {lane}</a>}>
      <div class={`reason ${TONES[reason.kind]}`}>
        <p class="reason-text">{text}</p>
        <ReasonDetails waiting={waiting} />
        <p class="small muted">
          Lane {lane} has {targets.map(shortTarget).join(', ')}. {positionText(waiting)}
        </p>
        {first !== undefined && (
          <p>
            The first of the lane: <ShortId id={first.id} href={pageAddress(`/operations/${first.id}`)} />{' '}
            {first.operationType} · {shortTarget(first.target)}, accepted <Time at={first.createdAt} />
          </p>
        )}
      </div>
    </Section>
  );
}

/** Scheduled operations have no place yet. */
function positionText({ position, positionIsExact }: IWaiting): string {
  if (position === undefined) return '';
  if (position === 0) return 'Nothing of the lane comes before it.';
  const many = plural(position, 'operation of the lane comes', 'operations of the lane come');
  return `${positionIsExact === false ? 'At least ' : ''}${many} before it.`;
}

function ReasonDetails({ waiting: { reason } }: { waiting: IWaiting }): JSX.Element | null {
  switch (reason.kind) {
    case 'lock':
    case 'open_transaction':
      return <Holders holders={reason.holders} />;
    case 'pause':
      return (
        <div>
          {reason.pauses.map((pause) => (
            <p key={`${pause.kind} ${pause.name}`}>
              <PauseText pause={pause} />
            </p>
          ))}
        </div>
      );
    case 'fault':
    case 'parked':
      return (
        <>
          <p>
            <a href={pageAddress(`/operations/${reason.block.operationId}`)}>The operation that cannot go on</a>
            {reason.block.sqlState !== undefined && (
              <>
                , SQLSTATE <code>{reason.block.sqlState}</code>
              </>
            )}
          </p>
          {reason.holders !== undefined && <Holders holders={reason.holders} />}
          <div class="actions">
            <ResumeLane lane={reason.block.lane} />
          </div>
        </>
      );
    case 'earlier_operation':
      return reason.id === undefined ? null : (
        <p>
          <ShortId id={reason.id} href={pageAddress(`/operations/${reason.id}`)} />
        </p>
      );
    default:
      return null;
  }
}

function Failure({ operation: { error, status, target } }: { operation: IBatchOperation }): JSX.Element {
  const { code, message, constraint, column, sqlState } = error!;
  return (
    <Section
      title={status === 'failed' ? 'Why it failed' : 'Its last failure'}
      aside={<a href={pageAddress('/failures', { code, constraint, target })}>Others like it</a>}
    >
      <div class="note bad">
        <p>{message}</p>
      </div>
      <Facts
        facts={[
          { name: 'Code', value: <code>{code}</code> },
          sqlState !== undefined && { name: 'SQLSTATE', value: <code>{sqlState}</code> },
          constraint !== undefined && { name: 'Constraint', value: <code>{constraint}</code> },
          column !== undefined && { name: 'Column', value: <code>{column}</code> },
        ]}
      />
    </Section>
  );
}

interface Stage {
  name: string;
  at?: string;
  tone: Tone;
  text: ComponentChildren;
}

function Life({ operation }: { operation: IBatchOperation }): JSX.Element {
  return (
    <ol class="life">
      {stagesOf(operation).map(({ name, at, tone, text }) => (
        <li key={name} class={tone}>
          <span>{at !== undefined && <Time at={at} />}</span>
          <p>
            <b>{name}</b> {text}
          </p>
        </li>
      ))}
    </ol>
  );
}

function stagesOf(operation: IBatchOperation): Stage[] {
  const { status, createdAt, claimedAt, settledAt, notifiedAt, createdBy, waiting, chunkId, source } = operation;
  const begun = claimedAt ?? settledAt;
  const waited = begun === undefined ? undefined : Math.max(0, Date.parse(begun) - Date.parse(createdAt));
  return [
    { name: 'Accepted', at: createdAt, tone: 'good', text: createdBy === undefined ? '' : `from ${createdBy}` },
    ...(waited === undefined ? [] : [{ name: 'Waited', tone: 'quiet' as const, text: duration(waited) }]),
    ...(status === 'scheduled' ? [scheduledStage(operation)] : []),
    ...(status === 'pending'
      ? [{ name: 'Waits', tone: 'busy' as const, text: waiting?.text ?? 'for the next chunk' }]
      : []),
    ...(chunkId === undefined ? [] : executionStages(operation, chunkId)),
    ...(settledAt === undefined ? [] : [endStage(operation, settledAt)]),
    ...(notifiedAt === undefined
      ? []
      : [{ name: 'Announced', at: notifiedAt, tone: 'good' as const, text: `to ${source ?? 'its source'}` }]),
  ];
}

function scheduledStage({ waitsFor, nextAttemptAt, waiting }: IBatchOperation): Stage {
  const forWhat = {
    run_at: 'for its time',
    retry: 'for its next attempt',
    earlier_operation: 'for an earlier operation on the same row',
    pause: 'for the end of a pause',
  };
  return {
    name: 'Waits',
    tone: 'wait',
    text: (
      <>
        {waiting?.text ?? (waitsFor === undefined ? '' : forWhat[waitsFor])}
        {nextAttemptAt !== undefined && (
          <>
            {' '}
            (<Time at={nextAttemptAt} />)
          </>
        )}
      </>
    ),
  };
}

function executionStages({ id, execution, claimedAt }: IBatchOperation, chunkId: string): Stage[] {
  const chunk = (
    <>
      by <a href={pageAddress(`/chunks/${chunkId}`)}>chunk {chunkId}</a>
    </>
  );
  const claimed = {
    name: 'Claimed',
    ...(claimedAt !== undefined && { at: claimedAt }),
    tone: 'good' as const,
    text: chunk,
  };
  if (execution === undefined) return [claimed];
  const { group, with: others, folded, isolated, statements } = execution;
  return [
    claimed,
    {
      name: 'Grouped',
      tone: 'good',
      text: (
        <>
          in <a href={pageAddress(`/chunks/${chunkId}`, { group, operation: id })}>group {group + 1}</a>
          {others === 0
            ? ', alone'
            : ` with ${count(others)} other ${others === 1 ? 'operation' : 'operations'}, in one statement`}
          {folded && '; it was combined with another operation on the same row'}
          {isolated && `; the group failed as a whole and was tried in parts, in ${plural(statements, 'statement')}`}
        </>
      ),
    },
  ];
}

function endStage({ status, error, rowsAffected }: IBatchOperation, at: string): Stage {
  switch (status) {
    case 'completed':
      return {
        name: 'Completed',
        at,
        tone: 'good',
        text: rowsAffected === undefined ? '' : `${plural(rowsAffected, 'row')} changed`,
      };
    case 'failed':
      return { name: 'Failed', at, tone: 'bad', text: error?.code ?? '' };
    default:
      return { name: 'Cancelled', at, tone: 'quiet', text: '' };
  }
}

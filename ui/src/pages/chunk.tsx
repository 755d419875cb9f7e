import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { CHUNK_PHASES, type IChunkPhases, type IChunkDetail, type IChunkGroup } from '../../../src/interfaces/chunk.js';
import { getChunk, listGroup, notifyAgain } from '../api/endpoints.js';
import { Action } from '../components/actions.js';
import { Badge, Code, Empty, Facts, Loaded, Page, Section, ShortId, Time } from '../components/basics.js';
import { count, duration, plural, shortTarget } from '../components/format.js';
import { IsolationTree } from '../components/isolation-tree.js';
import { Pager, Table } from '../components/table.js';
import { pageAddress, path, query } from '../state/location.js';
import { useResource } from '../state/resource.js';

const PAGE = 50;

/** The anatomy of a chunk: where its time went, what was executed together, what kept it apart, and what was refused. */
export function ChunkPage({ id }: { id: string }): JSX.Element {
  const chunk = useResource(`chunk ${id}`, (stop) => getChunk(id, stop));
  return (
    <Page
      title={`Chunk ${id}`}
      actions={
        <>
          <Action
            label="Notify again"
            scope="admin"
            done="Its sources are notified as soon as a worker runs."
            work={() => notifyAgain(id)}
            confirm={
              <p>
                Every source whose operations the chunk settled gets its notification again, with the same message id.
              </p>
            }
          />
          <a class="button" href={pageAddress('/operations', { chunkId: id })}>
            Its operations
          </a>
        </>
      }
    >
      <Loaded from={chunk}>{(found) => <Anatomy chunk={found} />}</Loaded>
    </Page>
  );
}

function Anatomy({ chunk }: { chunk: IChunkDetail }): JSX.Element {
  const { operations, completed, failed, deferred, groups, statements, fallback, worker, phases, plan, isolation } =
    chunk;
  return (
    <>
      <Facts
        facts={[
          { name: 'Operations', value: count(operations) },
          { name: 'Completed', value: count(completed) },
          { name: 'Failed', value: failed === 0 ? '0' : <Badge tone="bad">{count(failed)} failed</Badge> },
          deferred > 0 && { name: 'Tried again later', value: count(deferred) },
          { name: 'Groups', value: count(groups) },
          { name: 'Statements', value: count(statements) },
          { name: 'Isolation', value: fallback ? <Badge tone="warn">isolated</Badge> : 'not needed' },
          { name: 'Took', value: duration(chunk.durationMs) },
          { name: 'Settled', value: <Time at={chunk.settledAt} /> },
          { name: 'Worker', value: <a href={pageAddress('/chunks', { worker })}>{worker}</a> },
          { name: 'Callers notified', value: <Notified chunk={chunk} /> },
        ]}
      />
      {phases !== undefined && (
        <Section title="Where the time went">
          <Phases phases={phases} total={chunk.durationMs} />
        </Section>
      )}
      {chunk.failures.length > 0 && <Failures chunk={chunk} />}
      {isolation !== undefined && isolation.length > 0 && (
        <Section title="How the refused operations were found">
          <IsolationTree steps={isolation} omitted={chunk.omittedIsolationSteps} />
        </Section>
      )}
      <Section
        title="Groups, in the order of execution"
        aside={plan?.mode === 'serial' ? 'One by one: every operation was executed alone' : undefined}
      >
        {plan === undefined ? (
          <Empty title="The plan of this chunk was not kept." />
        ) : (
          <>
            {plan.groups.map((group, index) => (
              <Group key={index} chunkId={chunk.id} group={group} index={index} />
            ))}
            {plan.omittedGroups !== undefined && (
              <p class="muted">{plural(plan.omittedGroups, 'more group')} not shown.</p>
            )}
          </>
        )}
      </Section>
    </>
  );
}

function Notified({ chunk: { notifiedAt, unrouted, parked } }: { chunk: IChunkDetail }): JSX.Element {
  return (
    <>
      {notifiedAt === undefined ? 'not yet' : <Time at={notifiedAt} />}
      {unrouted !== undefined && unrouted.length > 0 && <p>No queue was bound for {unrouted.join(', ')}</p>}
      {parked !== undefined && parked.length > 0 && (
        <p>
          <a href={pageAddress('/dead-letters')}>Refused by the broker</a> for {parked.join(', ')}
        </p>
      )}
    </>
  );
}

function Phases({ phases, total }: { phases: IChunkPhases; total: number }): JSX.Element {
  const known = CHUNK_PHASES.map((name) => ({ name, ms: phases[name] }));
  const rest = total - known.reduce((sum, { ms }) => sum + ms, 0);
  const all = rest > 0.5 ? [...known, { name: 'other', ms: rest }] : known;
  return (
    <div class="panel">
      <div class="phases" aria-hidden="true">
        {all.map(({ name, ms }, index) => (
          <span
            key={name}
            class={`phase-${index}`}
            style={{ flexGrow: Math.max(ms, 0) }}
            title={`${name}: ${duration(ms)}`}
          />
        ))}
      </div>
      <dl class="phase-names">
        {all.map(({ name, ms }, index) => (
          <div key={name}>
            <dt>
              <i class={`phase-${index}`} aria-hidden="true" />
              {name}
            </dt>{' '}
            <dd>{duration(ms)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function Failures({ chunk: { id, failures } }: { chunk: IChunkDetail }): JSX.Element {
  return (
    <Section title="Failures">
      <Table
        caption="Failures of the chunk by code"
        rows={failures}
        rowKey={({ code }) => code}
        columns={[
          { name: 'Code', cell: ({ code }) => <a href={pageAddress('/operations', { chunkId: id, code })}>{code}</a> },
          { name: 'Operations', numeric: true, cell: (failure) => count(failure.count) },
          {
            name: 'One of them',
            cell: ({ example }) => <a href={pageAddress(`/operations/${example.id}`)}>{example.message}</a>,
          },
        ]}
      />
    </Section>
  );
}

function Group({ chunkId, group, index }: { chunkId: string; group: IChunkGroup; index: number }): JSX.Element {
  const { kind, target, operations, folded, statements, isolated, keyColumns, valueColumns, because, opaque, sql } =
    group;
  const chosen = query.value.get('group') === String(index);
  const id = `group-${index}`;
  useEffect(() => {
    if (chosen) document.getElementById(id)?.scrollIntoView({ block: 'center' });
  }, [chosen]);
  return (
    <article id={id} class={`panel group ${chosen ? 'chosen' : ''}`} aria-current={chosen ? 'true' : undefined}>
      <header>
        <h3>
          {index + 1}. {kind} {shortTarget(target)}
        </h3>
        <span>{plural(operations, 'operation')}</span>
        <span>{plural(statements, 'statement')}</span>
        {folded > 0 && <span>{count(folded)} combined on their rows</span>}
        {isolated && <Badge tone="warn">isolated</Badge>}
        {chosen && query.value.has('operation') && <Badge tone="busy">the operation is here</Badge>}
      </header>
      <p class="small muted">
        {keyColumns.length > 0 && `key ${keyColumns.join(', ')}`}
        {keyColumns.length > 0 && valueColumns.length > 0 && ' · '}
        {valueColumns.length > 0 && `writes ${valueColumns.join(', ')}`}
      </p>
      {because !== undefined && (
        <p class="because">
          Apart from the group before it, because {because.meaning} ({because.rule}: <code>{because.resource}</code>).{' '}
          <a href={pageAddress(`/operations/${because.operation}`)}>The earlier operation</a>
        </p>
      )}
      {opaque !== undefined && <p class="because">One by one: {opaque}</p>}
      <details>
        <summary>SQL</summary>
        <Code text={sql} label={`SQL of group ${index + 1}`} />
      </details>
      {chosen ? (
        <Members chunkId={chunkId} group={index} />
      ) : (
        <a class="button" href={pageAddress(path.value, { group: index })}>
          Operations of group {index + 1}
        </a>
      )}
    </article>
  );
}

/** The operations of the group that the address names, in the order in which they were accepted. */
function Members({ chunkId, group }: { chunkId: string; group: number }): JSX.Element {
  const { cursor, operation } = Object.fromEntries(query.value);
  const members = useResource(`group ${chunkId} ${group} ${cursor}`, (stop) =>
    listGroup(chunkId, group, { limit: PAGE, cursor }, stop),
  );
  return (
    <Loaded from={members}>
      {({ items, nextCursor }) => (
        <>
          {items.length === 0 ? (
            <Empty title="No operation of this group was kept." />
          ) : (
            <Table
              caption={`Operations of group ${group + 1}`}
              rows={items}
              rowKey={({ id }) => id}
              columns={[
                {
                  name: 'Operation',
                  cell: ({ id }) => (
                    <>
                      <ShortId id={id} href={pageAddress(`/operations/${id}`)} />{' '}
                      {id === operation && <Badge tone="busy">this one</Badge>}
                    </>
                  ),
                },
                { name: 'Combined on its row', cell: ({ folded }) => (folded ? 'yes' : 'no') },
              ]}
            />
          )}
          <Pager nextCursor={nextCursor} />
        </>
      )}
    </Loaded>
  );
}

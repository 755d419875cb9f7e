import type { IStatsHistory, IStats } from '../../../src/interfaces/stats.js';
import type { JSX } from 'preact';
import { getHistory, getWorkers, listFailures } from '../api/endpoints.js';
import { Badge, Empty, Loaded, Loading, Page, Problem, Section, Time } from '../components/basics.js';
import { count, counted, duration, estimated, plural, rate, sampled, shortTarget } from '../components/format.js';
import { LaneActions, LaneReason } from '../components/lane.js';
import { LastHour } from '../components/last-hour.js';
import { LaneBadge } from '../components/status.js';
import { Table } from '../components/table.js';
import { Troubles } from '../components/troubles.js';
import { stats, statsError } from '../state/live-stats.js';
import { pageAddress } from '../state/location.js';
import { standsStill, useLanes, type LaneNow } from '../state/lanes.js';
import { isToldByShell, useResource } from '../state/resource.js';

const HISTORY_MINUTES = 60;
const HISTORY_POLL_MS = 10_000;
const LISTS_POLL_MS = 5000;

/** Where the night begins: the numbers now, what is wrong and what to do about it, and the last hour. */
export function OverviewPage(): JSX.Element {
  const history = useResource('history', (stop) => getHistory(HISTORY_MINUTES, stop), { pollMs: HISTORY_POLL_MS });
  const lanes = useLanes();
  const now = stats.value;
  return (
    <Page title="Overview">
      <Troubles />
      {statsError.value !== undefined && !isToldByShell(statsError.value) && <Problem error={statsError.value} />}
      {now === undefined ? statsError.value === undefined && <Loading /> : <Tiles now={now} history={history.data} />}
      <Section title="Lanes that stand still" aside={<a href={pageAddress('/lanes')}>All lanes</a>}>
        <Loaded from={lanes}>{(found) => <StandingLanes lanes={found.filter(standsStill)} />}</Loaded>
      </Section>
      <Section title="The last hour">
        <Loaded from={history}>{(found) => <LastHour history={found} />}</Loaded>
      </Section>
      <div class="columns">
        <Failures />
        <Workers />
      </div>
    </Page>
  );
}

function Tiles({ now, history }: { now: IStats; history: IStatsHistory | undefined }): JSX.Element {
  const last = history?.points.at(-1);
  const seconds = (history?.intervalMs ?? 0) / 1000;
  const perSecond = (value = 0): string => (seconds === 0 ? '–' : `${rate(value / seconds)}/s`);
  const { completed, failed, chunks } = now.lastMinute;
  const blocked = now.blockedLanes;
  return (
    <dl class="tiles" aria-label="The queue now">
      <Tile
        name="Pending"
        href={pageAddress('/operations', { status: 'pending' })}
        value={sampled(now.pending, now.pendingIsExact)}
      />
      <Tile
        name="Scheduled"
        href={pageAddress('/operations', { status: 'scheduled' })}
        value={sampled(now.scheduled, now.scheduledIsExact)}
      />
      <Tile name="Oldest waits" value={duration(now.lagMs)} />
      <Tile name="In" value={last === undefined ? '–' : perSecond(last.accepted)} note="accepted" />
      <Tile name="Out" value={`${rate((completed + failed) / 60)}/s`} note="the last minute" />
      <Tile
        name="Failures"
        href={pageAddress('/failures')}
        value={`${count(failed)}/min`}
        note={`${sampled(now.failed, now.failedIsExact)} kept`}
        alarm={failed > 0}
      />
      <Tile
        name="A chunk takes"
        value={ms(last?.chunkP50Ms)}
        note={`p99 ${ms(last?.chunkP99Ms)} · ${plural(chunks, 'chunk')}/min`}
      />
      <Tile name="Workers" value={count(now.workers)} alarm={now.workers === 0} />
      <Tile name="Lanes standing still" href={pageAddress('/lanes')} value={count(blocked)} alarm={blocked > 0} />
    </dl>
  );
}

const ms = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : duration(value);

function Tile({
  name,
  value,
  note,
  href,
  alarm = false,
}: {
  name: string;
  value: string;
  note?: string;
  href?: string;
  alarm?: boolean;
}): JSX.Element {
  return (
    <div class={alarm ? 'tile alarm' : 'tile'}>
      <dt>{href === undefined ? name : <a href={href}>{name}</a>}</dt>
      <dd>
        {value}
        {note !== undefined && <span class="small">{note}</span>}
      </dd>
    </div>
  );
}

function StandingLanes({ lanes }: { lanes: LaneNow[] }): JSX.Element {
  if (lanes.length === 0) return <Empty title="Every lane goes on." />;
  return (
    <Table
      caption="Lanes that stand still"
      rows={lanes}
      rowKey={({ lane }) => String(lane)}
      columns={[
        { name: 'Lane', cell: ({ lane }) => <a href={pageAddress('/lanes', { lane })}>Lane {lane}</a> },
        { name: 'State', cell: ({ state }) => <LaneBadge state={state} /> },
        { name: 'Tables', cell: ({ targets }) => targets.map(shortTarget).join(', ') },
        { name: 'Waiting', numeric: true, cell: ({ waiting, waitingIsExact }) => counted(waiting, waitingIsExact) },
        { name: 'Why', cell: (lane) => <LaneReason lane={lane} /> },
        { name: 'Actions', cell: (lane) => <LaneActions lane={lane} /> },
      ]}
    />
  );
}

function Failures(): JSX.Element {
  const failures = useResource('failures', (stop) => listFailures({ limit: 8 }, stop), { pollMs: LISTS_POLL_MS });
  return (
    <Section title="Failures" aside={<a href={pageAddress('/failures')}>All groups</a>}>
      <Loaded from={failures}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No operation has failed." />
          ) : (
            <Table
              caption="Failures by code and table"
              rows={items}
              rowKey={({ code, constraint, target }) => `${code} ${constraint} ${target}`}
              columns={[
                {
                  name: 'Code',
                  cell: ({ code, constraint, target }) => (
                    <a href={pageAddress('/failures', { code, constraint, target })}>{code}</a>
                  ),
                },
                { name: 'Table', cell: ({ target }) => shortTarget(target) },
                {
                  name: 'Operations',
                  numeric: true,
                  cell: (group) => estimated(group.count, group.countIsExact),
                },
                { name: 'Last', cell: ({ lastAt }) => <Time at={lastAt} /> },
              ]}
            />
          )
        }
      </Loaded>
    </Section>
  );
}

function Workers(): JSX.Element {
  const workers = useResource('workers', getWorkers, { pollMs: LISTS_POLL_MS });
  return (
    <Section title="Workers">
      <Loaded from={workers}>
        {(found) =>
          found.length === 0 ? (
            <Empty title="No worker was seen.">
              Nothing is executed until one runs: <code>npm run start:worker</code>
            </Empty>
          ) : (
            <Table
              caption="Workers"
              rows={found}
              rowKey={({ name }) => name}
              columns={[
                { name: 'Worker', cell: ({ name }) => <code>{name}</code> },
                {
                  name: 'State',
                  cell: ({ alive }) => <Badge tone={alive ? 'good' : 'bad'}>{alive ? 'alive' : 'not seen'}</Badge>,
                },
                { name: 'Seen', cell: ({ seenAt }) => <Time at={seenAt} /> },
                { name: 'Since', cell: ({ startedAt }) => <Time at={startedAt} /> },
                { name: 'Operations/min', numeric: true, cell: ({ lastMinute }) => count(lastMinute.operations) },
                {
                  name: 'Chunks',
                  cell: ({ name }) => <a href={pageAddress('/chunks', { worker: name })}>Its chunks</a>,
                },
              ]}
            />
          )
        }
      </Loaded>
    </Section>
  );
}

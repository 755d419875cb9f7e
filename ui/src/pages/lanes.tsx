import type { JSX } from 'preact';
import { listPauses, unpause } from '../api/endpoints.js';
import { Action } from '../components/actions.js';
import { Age, Empty, Loaded, Page, Section, ShortId, Time } from '../components/basics.js';
import { Filters, type FilterField } from '../components/filters.js';
import { counted, shortTarget } from '../components/format.js';
import { LaneActions, LaneReason } from '../components/lane.js';
import { PauseForm } from '../components/pause-form.js';
import { LaneBadge } from '../components/status.js';
import { Table } from '../components/table.js';
import { pageAddress, query } from '../state/location.js';
import { standsStill, useLanes, type LaneNow } from '../state/lanes.js';
import { useResource } from '../state/resource.js';

const FIELDS: readonly FilterField[] = [
  {
    name: 'show',
    label: 'Show',
    choices: [
      ['standing', 'those that stand still'],
      ['busy', 'those with operations'],
    ],
  },
  { name: 'target', label: 'Table', placeholder: 'orders' },
  { name: 'lane', label: 'Lane', placeholder: '0 to 63' },
];
const POLL_MS = 3000;

export function LanesPage(): JSX.Element {
  const { show, target, lane } = Object.fromEntries(query.value);
  const lanes = useLanes();
  const chosen = (each: LaneNow): boolean =>
    (show !== 'standing' || standsStill(each)) &&
    (show !== 'busy' || each.waiting > 0) &&
    (target === undefined || each.targets.some((name) => name.includes(target))) &&
    (lane === undefined || String(each.lane) === lane);
  return (
    <Page
      title="Lanes"
      actions={<PauseForm />}
      lead="Tables that may influence one another share a lane. The operations of a lane are executed in order; lanes do not wait for one another."
    >
      <Filters fields={FIELDS} label="Filter the lanes" />
      <Loaded from={lanes}>{(found) => <Lanes lanes={found.filter(chosen)} all={found.length} />}</Loaded>
      <Pauses />
    </Page>
  );
}

function Lanes({ lanes, all }: { lanes: LaneNow[]; all: number }): JSX.Element {
  if (lanes.length === 0) {
    return all === 0 ? (
      <Empty title="No lanes yet.">A table gets its lane with its first operation.</Empty>
    ) : (
      <Empty title="No lane is like that." />
    );
  }
  return (
    <Table
      caption="Lanes"
      rows={lanes}
      rowKey={({ lane }) => String(lane)}
      columns={[
        { name: 'Lane', cell: ({ lane }) => lane },
        { name: 'State', cell: ({ state }) => <LaneBadge state={state} /> },
        { name: 'Tables', cell: ({ targets }) => targets.map(shortTarget).join(', ') },
        {
          name: 'Waiting',
          numeric: true,
          cell: ({ waiting, waitingIsExact }) => counted(waiting, waitingIsExact),
        },
        {
          name: 'Head',
          cell: ({ head }) =>
            head === undefined ? (
              ''
            ) : (
              <>
                <ShortId id={head.id} href={pageAddress(`/operations/${head.id}`)} /> waits{' '}
                <Age since={head.createdAt} />
              </>
            ),
        },
        { name: 'Why', cell: (lane) => <LaneReason lane={lane} /> },
        { name: 'Actions', cell: (lane) => <LaneActions lane={lane} /> },
      ]}
    />
  );
}

function Pauses(): JSX.Element {
  const pauses = useResource('pauses', listPauses, { pollMs: POLL_MS });
  return (
    <Section title="Pauses and drains">
      <Loaded from={pauses}>
        {(found) =>
          found.length === 0 ? (
            <Empty title="Nothing is paused." />
          ) : (
            <Table
              caption="Pauses and drains"
              rows={found}
              rowKey={({ kind, name }) => `${kind} ${name}`}
              columns={[
                { name: 'What', cell: ({ kind, name }) => `${kind} ${name}` },
                {
                  name: 'How',
                  cell: ({ drain }) => (drain ? 'drained: refuses new operations' : 'paused: executes nothing'),
                },
                {
                  name: 'Remaining',
                  numeric: true,
                  cell: ({ remaining, remainingIsExact }) => counted(remaining, remainingIsExact),
                },
                { name: 'Reason', cell: ({ reason }) => reason ?? '' },
                { name: 'By', cell: ({ by }) => by ?? '' },
                { name: 'Since', cell: ({ pausedAt }) => <Time at={pausedAt} /> },
                {
                  name: 'Actions',
                  cell: ({ kind, name, drain }) => (
                    <Action
                      label={drain ? 'Accept again' : 'Unpause'}
                      scope="admin"
                      done={`${kind} ${name} goes on.`}
                      work={() => unpause(kind, name)}
                    />
                  ),
                },
              ]}
            />
          )
        }
      </Loaded>
    </Section>
  );
}

import type { IAlert, IAlertDelivery } from '../../../src/interfaces/alert.js';
import type { JSX } from 'preact';
import { listAlerts } from '../api/endpoints.js';
import { Badge, Empty, Loaded, Page, Section, Time, type Tone } from '../components/basics.js';
import { Table } from '../components/table.js';
import { useResource } from '../state/resource.js';

const POLL_MS = 5000;

export function AlertsPage(): JSX.Element {
  const alerts = useResource('alerts', listAlerts, { pollMs: POLL_MS });
  return (
    <Page title="Alerts">
      <Loaded from={alerts}>
        {({ channels, firing, recent }) => (
          <>
            {channels.length === 0 ? (
              <p class="note warn">
                No channel is configured, so nobody is told. Set <code>BATCH_ALERT_…</code>, and try it with{' '}
                <code>npm run alerts -- test</code>.
              </p>
            ) : (
              <p class="lead">Alerts are sent to {channels.join(', ')}.</p>
            )}
            <Section title="Firing">
              {firing.length === 0 ? (
                <Empty title="No alert is firing." />
              ) : (
                <Alerts alerts={firing} caption="Alerts that are firing" />
              )}
            </Section>
            <Section title="Over">
              {recent.length === 0 ? (
                <Empty title="None was over lately." />
              ) : (
                <Alerts alerts={recent} caption="Alerts that are over" />
              )}
            </Section>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Alerts({ alerts, caption }: { alerts: IAlert[]; caption: string }): JSX.Element {
  return (
    <Table
      caption={caption}
      rows={alerts}
      rowKey={({ id }) => id}
      columns={[
        {
          name: 'State',
          cell: ({ state }) => (
            <Badge tone={state === 'firing' ? 'bad' : 'good'}>{state === 'firing' ? 'firing' : 'over'}</Badge>
          ),
        },
        { name: 'Rule', cell: ({ rule }) => <code>{rule}</code> },
        {
          name: 'What',
          cell: ({ title, text }) => (
            <>
              <strong>{title}</strong>
              <p class="small">{text}</p>
            </>
          ),
        },
        { name: 'Since', cell: ({ firstAt }) => <Time at={firstAt} /> },
        {
          name: 'Last seen',
          cell: ({ lastAt, resolvedAt }) => <Time at={resolvedAt ?? lastAt} />,
        },
        { name: 'Sent', cell: ({ deliveries }) => <Deliveries deliveries={deliveries} /> },
      ]}
    />
  );
}

const DELIVERY: Record<IAlertDelivery['state'], Tone> = { pending: 'wait', sent: 'good', gave_up: 'bad' };
const DELIVERY_WORDS: Record<IAlertDelivery['state'], string> = {
  pending: 'on its way',
  sent: 'sent',
  gave_up: 'given up',
};

function Deliveries({ deliveries }: { deliveries: readonly IAlertDelivery[] }): JSX.Element {
  return (
    <ul class="plain">
      {deliveries.slice(0, 6).map(({ channel, event, state, createdAt, sentAt, error }) => (
        <li key={`${channel} ${event} ${createdAt}`}>
          <Badge tone={DELIVERY[state]} {...(error !== undefined && { title: error })}>
            {DELIVERY_WORDS[state]}
          </Badge>{' '}
          {channel}, {event}, <Time at={sentAt ?? createdAt} />
          {error !== undefined && <p class="small">{error}</p>}
        </li>
      ))}
    </ul>
  );
}

import type { IAlerts } from '../../../src/interfaces/alert.js';
import type { IStats } from '../../../src/interfaces/stats.js';
import type { ComponentChildren, JSX } from 'preact';

import type { IHealth } from '../api/health.js';
import { getHealth, listAlerts } from '../api/endpoints.js';
import { stats, statsError } from '../state/live-stats.js';
import { pageAddress } from '../state/location.js';
import { useResource } from '../state/resource.js';
import { plural } from './format.js';

interface Trouble {
  name: string;
  tone: 'bad' | 'warn';
  text: ComponentChildren;
}

const POLL_MS = 5000;
/** Fewer are on their way at any moment. */
const NOTIFICATIONS_BEHIND = 100;

/** What needs a person, and what to do about it. One click leads to where it can be done. */
export function Troubles(): JSX.Element | null {
  const health = useResource('health', getHealth, { pollMs: POLL_MS });
  const alerts = useResource('firing alerts', listAlerts, { pollMs: POLL_MS });
  const now = stats.value;
  const found = [
    ...(health.data === undefined ? [] : unhealthyParts(health.data)),
    ...(now === undefined ? [] : ofStats(now)),
    ...(alerts.data === undefined ? [] : ofAlerts(alerts.data)),
  ];
  const unknown = now === undefined || statsError.value !== undefined || health.data === undefined;
  if (found.length === 0 && unknown) return null;
  if (found.length === 0) {
    return (
      <p class="note good" role="status">
        Everything runs.
      </p>
    );
  }
  return (
    <ul class="troubles" aria-label="What needs attention">
      {found.map(({ name, tone, text }) => (
        <li key={name} class={`note ${tone}`}>
          <p>{text}</p>
        </li>
      ))}
    </ul>
  );
}

const CURES: Readonly<Record<string, string>> = {
  database: 'Operations are neither accepted nor executed. Look at PostgreSQL and at DB_HOST.',
  migrations: 'Run the migrations: npm run migration:run',
  rabbitmq:
    'Callers over RabbitMQ are not heard and not notified; REST goes on. What is stored stays, and notifications follow. Look at the broker and at BATCH_SERVICE_RMQ_URL.',
  redis: 'Workers are not woken, and look for work at their interval. Look at Redis and at REDIS_URL.',
};

function unhealthyParts({ parts }: IHealth): Trouble[] {
  return Object.entries(parts)
    .filter(([, { status }]) => status !== 'up')
    .map(([name, { status, reason }]) => ({
      name: `part ${name}`,
      tone: status === 'down' ? 'bad' : 'warn',
      text: (
        <>
          <strong>
            {name} is {status}
          </strong>
          {reason !== undefined && `: ${reason}`}. {CURES[name] ?? ''}
        </>
      ),
    }));
}

function ofStats(now: IStats): Trouble[] {
  const blocked = now.blockedLanes;
  return [
    ...when(now.workers === 0, 'workers', 'bad', () => (
      <>
        <strong>No worker is seen.</strong> {plural(now.pending, 'operation waits', 'operations wait')}, and nothing is
        executed. Start a worker: <code>npm run start:worker</code>
      </>
    )),
    ...when(blocked > 0, 'lanes', 'bad', () => (
      <>
        <strong>{plural(blocked, 'lane stands still', 'lanes stand still')}.</strong>{' '}
        <a href={pageAddress('/lanes', { show: 'standing' })}>See why, and resume or skip</a>
      </>
    )),
    ...when(now.parkedNotifications > 0, 'notifications', 'warn', () => (
      <>
        <strong>The broker refuses {plural(now.parkedNotifications, 'notification')}.</strong>{' '}
        <a href={pageAddress('/dead-letters')}>See the reasons</a>
      </>
    )),
    ...when(now.pendingNotifications > NOTIFICATIONS_BEHIND, 'pending notifications', 'warn', () => (
      <>
        <strong>The callers of {plural(now.pendingNotifications, 'chunk')} are not notified yet.</strong> If the number
        grows, look at the broker.
      </>
    )),
  ];
}

function ofAlerts({ firing }: IAlerts): Trouble[] {
  return firing.map(({ id, title }) => ({
    name: `alert ${id}`,
    tone: 'warn',
    text: (
      <>
        <strong>Alert: {title}</strong> <a href={pageAddress('/alerts')}>What was seen</a>
      </>
    ),
  }));
}

function when(is: boolean, name: string, tone: Trouble['tone'], text: () => ComponentChildren): Trouble[] {
  return is ? [{ name, tone, text: text() }] : [];
}

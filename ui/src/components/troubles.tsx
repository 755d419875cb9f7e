import type { IAlerts } from '../../../src/interfaces/alert.js';
import type { IFailures } from '../../../src/interfaces/failure.js';
import type { IParkedMessages } from '../../../src/interfaces/parked-message.js';
import type { IStats } from '../../../src/interfaces/stats.js';
import type { ComponentChildren, JSX } from 'preact';

import type { IHealth } from '../api/health.js';
import { getHealth, listAlerts, listFailures, listParkedMessages } from '../api/endpoints.js';
import { stats, statsError } from '../state/live-stats.js';
import { pageAddress } from '../state/location.js';
import { useResource } from '../state/resource.js';
import { estimated, plural, shortTarget } from './format.js';

interface Trouble {
  name: string;
  tone: 'bad' | 'warn';
  text: ComponentChildren;
}

const POLL_MS = 5000;
const HOUR_MS = 3_600_000;
/** Single operations that fail are the matter of their callers. So many in an hour, for one reason, have a common cause. */
const FAILURES_OF_ONE_CAUSE = 100;
/** Fewer are on their way at any moment. */
const NOTIFICATIONS_BEHIND = 100;

/** What needs a person, and what to do about it. One click leads to where it can be done. */
export function Troubles(): JSX.Element | null {
  const health = useResource('health', getHealth, { pollMs: POLL_MS });
  const alerts = useResource('firing alerts', listAlerts, { pollMs: POLL_MS });
  const failures = useResource('failures of the last hour', failuresOfLastHour, { pollMs: POLL_MS });
  // Without a broker it is refused, and no message is parked.
  const messages = useResource('number of parked messages', (stop) => listParkedMessages({ limit: 0 }, stop), {
    pollMs: POLL_MS,
  });
  const now = stats.value;
  const found = [
    ...(health.data === undefined ? [] : unhealthyParts(health.data)),
    ...(now === undefined ? [] : ofStats(now, health.data?.parts.rabbitmq?.status === 'down')),
    ...(failures.data === undefined ? [] : ofFailures(failures.data)),
    ...(messages.data === undefined ? [] : ofParkedMessages(messages.data)),
    ...(alerts.data === undefined ? [] : ofAlerts(alerts.data)),
  ];
  const answered = [health, alerts, failures, messages].every(({ data, error }) => data ?? error);
  const unknown = now === undefined || statsError.value !== undefined || health.data === undefined || !answered;
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

const failuresOfLastHour = (stop: AbortSignal): Promise<IFailures> =>
  listFailures({ since: new Date(Date.now() - HOUR_MS).toISOString() }, stop);

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

function ofStats(now: IStats, brokerIsDown: boolean): Trouble[] {
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
    ...when(
      now.pendingNotifications > (brokerIsDown ? 0 : NOTIFICATIONS_BEHIND),
      'pending notifications',
      'warn',
      () => (
        <>
          <strong>The callers of {plural(now.pendingNotifications, 'chunk')} are not notified yet.</strong>{' '}
          {brokerIsDown ? 'They are notified when the broker is back.' : 'If the number grows, look at the broker.'}
        </>
      ),
    ),
  ];
}

function ofFailures({ items }: IFailures): Trouble[] {
  return items
    .filter((group) => group.count >= FAILURES_OF_ONE_CAUSE)
    .map(({ code, constraint, target, count, countIsExact }) => ({
      name: `failures ${code} ${constraint} ${target}`,
      tone: 'warn',
      text: (
        <>
          <strong>
            {estimated(count, countIsExact)} operations on {shortTarget(target)} failed in the last hour: {code}
          </strong>
          {constraint !== undefined && (
            <>
              {' '}
              (<code>{constraint}</code>)
            </>
          )}
          . <a href={pageAddress('/failures', { code, target })}>See one of them, and retry all</a>
        </>
      ),
    }));
}

function ofParkedMessages({ total }: IParkedMessages): Trouble[] {
  return when(total > 0, 'parked messages', 'warn', () => (
    <>
      <strong>{plural(total, 'message could not be executed', 'messages could not be executed')}.</strong>{' '}
      <a href={pageAddress('/dead-letters')}>See why, and replay or discard</a>
    </>
  ));
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

import type { AlertChannelName, IAlert, IAlertDelivery, IAlerts } from '../../interfaces/alert.js';
import type { AlertRow } from './alerts.sql.js';

/** @param rows alerts that go on first */
export function toAlerts(rows: readonly AlertRow[], channels: AlertChannelName[]): IAlerts {
  const alerts = rows.map(toAlert);
  return {
    channels,
    firing: alerts.filter(({ state }) => state === 'firing'),
    recent: alerts.filter(({ state }) => state === 'resolved'),
  };
}

function toAlert({ firstAt, lastAt, resolvedAt, deliveries, ...alert }: AlertRow): IAlert {
  return {
    ...alert,
    state: resolvedAt === null ? 'firing' : 'resolved',
    firstAt: firstAt.toISOString(),
    lastAt: lastAt.toISOString(),
    ...(resolvedAt !== null && { resolvedAt: resolvedAt.toISOString() }),
    deliveries: deliveries.map(toDelivery),
  };
}

/** JSON of PostgreSQL has its own form of times. */
const toIso = (time: string): string => new Date(time).toISOString();

function toDelivery(row: AlertRow['deliveries'][number]): IAlertDelivery {
  const { channel, event, attempts, createdAt, nextTryAt, sentAt, gaveUpAt, error } = row;
  const state = sentAt !== null ? 'sent' : gaveUpAt !== null ? 'gave_up' : 'pending';
  return {
    ...{ channel, event, state, attempts, createdAt: toIso(createdAt) },
    ...(sentAt !== null && { sentAt: toIso(sentAt) }),
    ...(state === 'pending' && { nextTryAt: toIso(nextTryAt) }),
    ...(error !== null && { error }),
  };
}

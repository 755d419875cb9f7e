import {
  ALERT_CHANNELS,
  ALERT_DELIVERY_STATES,
  ALERT_EVENTS,
  ALERT_RULES,
  type IAlert,
  type IAlertDelivery,
  type IAlerts,
} from '../../../interfaces/alert.js';
import { Fields } from './fields.js';

@Fields<IAlertDelivery>({
  channel: { enum: ALERT_CHANNELS, enumName: 'AlertChannel', example: 'email' },
  event: {
    enum: ALERT_EVENTS,
    enumName: 'AlertEvent',
    description: 'firing: the alert begins. repeated: it goes on. resolved: it is over.',
    example: 'firing',
  },
  state: {
    enum: ALERT_DELIVERY_STATES,
    enumName: 'AlertDeliveryState',
    description: 'pending: it is tried until it is sent. gave_up: it could not be sent for a day.',
    example: 'sent',
  },
  attempts: { description: 'How often it was tried.', example: 1 },
  createdAt: { format: 'date-time', example: '2026-01-01T03:00:05.000Z' },
  sentAt: { optional: true, format: 'date-time', example: '2026-01-01T03:00:05.300Z' },
  nextTryAt: {
    optional: true,
    format: 'date-time',
    description: 'Only while it is pending.',
    example: '2026-01-01T03:00:10.000Z',
  },
  error: {
    optional: true,
    description: 'Why the last try failed.',
    example: 'connect ECONNREFUSED 10.0.0.7:587',
  },
})
export class AlertDeliveryDto {}

@Fields<IAlert>({
  id: { example: '12' },
  rule: {
    enum: ALERT_RULES,
    enumName: 'AlertRule',
    description:
      'lag: the oldest operation waits too long. failure_rate: too many operations fail. lane_blocked: a lane stands still. ' +
      'parked_messages, parked_notifications: they wait for a decision. job_failed: an execution failed and was not restarted. ' +
      'job_missed: a job did not run at its time. no_worker: nothing executes operations.',
    example: 'lag',
  },
  subject: { description: 'What it is about; empty: the whole service.', example: '' },
  state: { enum: ['firing', 'resolved'], enumName: 'AlertState', example: 'firing' },
  title: { example: 'The oldest operation has waited for 95 s' },
  text: {
    description: 'What was seen last, and what to do.',
    example: 'The oldest pending operation has waited for 95 s; the limit is 60 s.',
  },
  firstAt: { format: 'date-time', example: '2026-01-01T03:00:05.000Z' },
  lastAt: { format: 'date-time', description: 'When the rule was met last.', example: '2026-01-01T03:00:40.000Z' },
  resolvedAt: { optional: true, format: 'date-time', example: '2026-01-01T03:10:00.000Z' },
  deliveries: { type: [AlertDeliveryDto], description: 'Its messages, newest first, at most 20.' },
})
export class AlertDto {}

@Fields<IAlerts>({
  channels: {
    enum: ALERT_CHANNELS,
    enumName: 'AlertChannel',
    isArray: true,
    description: 'Where alerts are sent. Without any, nothing is watched.',
    example: ['email', 'webhook'],
  },
  firing: { type: [AlertDto], description: 'Newest first.' },
  recent: { type: [AlertDto], description: 'Those that are over, newest first, at most 100.' },
})
export class AlertsDto {}

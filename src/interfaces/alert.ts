/**
 * What can make an alert. `lag`: the oldest pending operation waits too long. `failure_rate`: too many operations fail. `lane_blocked`: a
 * lane stands still. `parked_messages`, `parked_notifications`: they wait for a decision. `job_failed`: an execution failed and was not
 * restarted. `job_missed`: a job did not run at a time of its schedule. `no_worker`: nothing executes operations.
 */
export const ALERT_RULES = [
  'lag',
  'failure_rate',
  'lane_blocked',
  'parked_messages',
  'parked_notifications',
  'job_failed',
  'job_missed',
  'no_worker',
] as const;

export type AlertRule = (typeof ALERT_RULES)[number];

export const ALERT_CHANNELS = ['slack', 'email', 'webhook'] as const;

export type AlertChannelName = (typeof ALERT_CHANNELS)[number];

/** What a message says of its alert: it begins, it goes on, it is over. */
export const ALERT_EVENTS = ['firing', 'repeated', 'resolved'] as const;

export type AlertEvent = (typeof ALERT_EVENTS)[number];

/** `pending`: it is tried until it is sent. `gave_up`: it could not be sent for a day. */
export const ALERT_DELIVERY_STATES = ['pending', 'sent', 'gave_up'] as const;

export type AlertDeliveryState = (typeof ALERT_DELIVERY_STATES)[number];

/** One message of an alert to one channel. Times are ISO 8601 in UTC. */
export interface IAlertDelivery {
  channel: AlertChannelName;
  event: AlertEvent;
  state: AlertDeliveryState;
  /** How often it was tried. */
  attempts: number;
  createdAt: string;
  sentAt?: string;
  /** When it is tried again; only while it is pending. */
  nextTryAt?: string;
  /** Why the last try failed. */
  error?: string;
}

/** Something that an operator has to know. Times are ISO 8601 in UTC. */
export interface IAlert {
  id: string;
  rule: AlertRule;
  /** What the alert is about, such as `lane 17`; empty when it is about the whole service. */
  subject: string;
  state: 'firing' | 'resolved';
  /** One line. */
  title: string;
  /** What was seen last, and what to do. */
  text: string;
  firstAt: string;
  /** When the rule was met last. */
  lastAt: string;
  resolvedAt?: string;
  /** Newest first, at most 20. */
  deliveries: IAlertDelivery[];
}

export interface IAlerts {
  /** Where alerts are sent. Without any, nothing is watched. */
  channels: AlertChannelName[];
  /** Newest first. */
  firing: IAlert[];
  /** Those that are over, newest first, at most 100. */
  recent: IAlert[];
}

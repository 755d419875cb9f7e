import type { AlertRule } from '../../interfaces/alert.js';
import type { Evaluation, FiringAlert } from './alert-rules.js';

/** An alert that goes on, as it is stored. */
export interface KnownAlert {
  id: string;
  rule: AlertRule;
  subject: string;
  title: string;
  firstAt: Date;
  /** When its rule was met last. */
  lastAt: Date;
  /** When its last message was stored. */
  notifiedAt: Date;
}

/** `fire`: a new alert. `repeat`: it goes on, and is told again. `keep`: it goes on. `resolve`: it is over, and that is told. */
export type AlertDecision =
  | { kind: 'fire'; alert: FiringAlert }
  | { kind: 'repeat' | 'keep'; id: string; alert: FiringAlert }
  | { kind: 'resolve'; known: KnownAlert };

export interface AlertTimes {
  /** 0: an alert is not repeated. */
  repeatMs: number;
  /** An alert is over when its rule has not been met for this long. So a value that swings around its limit makes one alert. */
  resolveMs: number;
}

/**
 * Decides what becomes of each alert. It depends on what is stored and on nothing else, so another process, or the same after a restart,
 * decides the same.
 */
export function decideAlerts(
  known: readonly KnownAlert[],
  { firing, unknown }: Evaluation,
  now: Date,
  { repeatMs, resolveMs }: AlertTimes,
): AlertDecision[] {
  const knownByKey = new Map(known.map((alert) => [keyOf(alert), alert]));
  const firingByKey = new Map(firing.map((alert) => [keyOf(alert), alert]));
  const since = (at: Date): number => now.getTime() - at.getTime();
  const going = [...firingByKey].map(([key, alert]): AlertDecision => {
    const before = knownByKey.get(key);
    if (before === undefined) return { kind: 'fire', alert };
    const isDue = repeatMs > 0 && since(before.notifiedAt) >= repeatMs;
    return { kind: isDue ? 'repeat' : 'keep', id: before.id, alert };
  });
  const over = known.filter(
    (alert) => !firingByKey.has(keyOf(alert)) && !unknown.includes(alert.rule) && since(alert.lastAt) >= resolveMs,
  );
  return [...going, ...over.map((alert): AlertDecision => ({ kind: 'resolve', known: alert }))];
}

const keyOf = ({ rule, subject }: Pick<FiringAlert, 'rule' | 'subject'>): string => JSON.stringify([rule, subject]);

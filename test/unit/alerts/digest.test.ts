import { describe, expect, it } from 'vitest';
import type { DueDelivery } from '../../../src/services/alerts/alerts.sql.js';
import { toDigests, toMessage } from '../../../src/services/alerts/digest.js';

const AT = new Date('2026-01-01T03:00:00Z');
const lane = (n: number, changes: Partial<DueDelivery> = {}): DueDelivery => ({
  ...{ id: String(n), event: 'firing', rule: 'lane_blocked', subject: `lane ${n}`, attempts: 0 },
  ...{ title: `Lane ${n} stands still`, text: `Why lane ${n}`, createdAt: AT, firstAt: new Date(AT.getTime() - n) },
  ...changes,
});
const lanes = (count: number, changes?: Partial<DueDelivery>): DueDelivery[] =>
  Array.from({ length: count }, (_, n) => lane(n + 1, changes));
const sizes = (due: readonly DueDelivery[]): number[] => toDigests(due).map(({ length }) => length);

describe('messages of alerts', () => {
  it('are single up to five of a rule, and one beyond', () => {
    expect(sizes(lanes(5))).toEqual([1, 1, 1, 1, 1]);
    expect(sizes(lanes(6))).toEqual([6]);
  });

  it('of different rules, events and evaluations are not put together', () => {
    expect(sizes([...lanes(3), ...lanes(3, { event: 'resolved' })])).toEqual([1, 1, 1, 1, 1, 1]);
    expect(sizes([...lanes(3), ...lanes(3, { rule: 'job_failed' })])).toEqual([1, 1, 1, 1, 1, 1]);
    expect(sizes([...lanes(3), ...lanes(3, { createdAt: new Date(AT.getTime() + 1) })])).toEqual([1, 1, 1, 1, 1, 1]);
    expect(sizes([...lanes(6), ...lanes(6, { event: 'resolved' })])).toEqual([6, 6]);
  });

  it('say the same as before when they are single', () => {
    expect(toMessage([lane(3)], 'Shop')).toEqual({
      ...{ id: '3', name: 'Shop', event: 'firing', rule: 'lane_blocked', subject: 'lane 3', subjects: ['lane 3'] },
      ...{ title: 'Lane 3 stands still', text: 'Why lane 3', firstAt: new Date(AT.getTime() - 3), at: AT },
    });
  });

  it('list the titles of all alerts of which they tell, and begin with the first', () => {
    const message = toMessage(lanes(6), 'Shop');
    expect(message).toMatchObject({
      ...{ id: '1', subject: '', firstAt: new Date(AT.getTime() - 6), at: AT },
      subjects: ['lane 1', 'lane 2', 'lane 3', 'lane 4', 'lane 5', 'lane 6'],
      title: '6 alerts: Lane 1 stands still, and 5 more',
    });
    expect(message.text.split('\n')).toHaveLength(7);
    expect(message.text).toContain('- Lane 6 stands still');
  });
});

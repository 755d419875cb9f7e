import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { judgeRecovery } from '../../chaos/judge/judge-recovery.js';
import { POSTGRES, RABBITMQ, Timeline } from '../../chaos/timeline.js';

const BOUND = 2500;
const END = 60_000;

describe('the time after an outage', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** PostgreSQL crashes at 1000 and is up again at 2000. */
  function crash(): Timeline {
    const timeline = new Timeline();
    at(0, () => [POSTGRES, RABBITMQ, 'api-1', 'worker-1'].forEach((component) => timeline.up(component)));
    at(1000, () => timeline.down(POSTGRES));
    at(2000, () => timeline.up(POSTGRES, 'PostgreSQL crashed'));
    return timeline;
  }

  it('ends with the first chunk', () => {
    const { recoveries, violations } = judgeRecovery(crash(), chunks(900, 2300, 2900), BOUND, END);
    expect(recoveries.get('PostgreSQL crashed')).toEqual([300]);
    expect(violations).toEqual([]);
  });

  it('is bounded', () => {
    expect(judgeRecovery(crash(), chunks(900, 4600), BOUND, END).violations).toHaveLength(1);
    expect(judgeRecovery(crash(), chunks(900), BOUND, END).violations).toHaveLength(1);
  });

  it('begins when there is a worker to end it', () => {
    const timeline = crash();
    at(2100, () => timeline.down('worker-1'));
    at(7000, () => timeline.up('worker-1'));
    const { recoveries, violations } = judgeRecovery(timeline, chunks(7400), BOUND, END);
    expect(recoveries.get('PostgreSQL crashed')).toEqual([400]);
    expect(violations).toEqual([]);
  });

  it('is not judged when nothing held long enough to tell', () => {
    const timeline = crash();
    at(2100, () => timeline.down('worker-1'));
    const { unjudged, violations } = judgeRecovery(timeline, chunks(), BOUND, END);
    expect([unjudged, violations]).toEqual([1, []]);
  });

  it('of RabbitMQ ends with an operation that came by it', () => {
    const timeline = new Timeline();
    at(0, () => [POSTGRES, 'api-1', 'worker-1'].forEach((component) => timeline.up(component)));
    at(2000, () => timeline.up(RABBITMQ, 'RabbitMQ killed'));
    const observations = { chunksAt: [2100, 3000, 3600], rpcStoredAt: [1900, 3500] };
    expect(judgeRecovery(timeline, observations, BOUND, END).recoveries.get('RabbitMQ killed')).toEqual([1600]);
  });
});

const chunks = (...chunksAt: number[]) => ({ chunksAt, rpcStoredAt: [] });

function at(time: number, work: () => void): void {
  vi.setSystemTime(time);
  work();
}

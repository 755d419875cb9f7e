import { describe, expect, it } from 'vitest';
import type { Evaluation, FiringAlert } from '../../../src/services/alerts/alert-rules.js';
import { decideAlerts, type AlertTimes, type KnownAlert } from '../../../src/services/alerts/alert-state.js';

const START = Date.parse('2026-01-01T03:00:00Z');
const at = (seconds: number): Date => new Date(START + seconds * 1000);
const LAG: FiringAlert = { rule: 'lag', subject: '', title: 'Lag', text: 'It lags' };
const LANE_3: FiringAlert = { rule: 'lane_blocked', subject: 'lane 3', title: 'Lane 3', text: 'It stands still' };
const LANE_4: FiringAlert = { ...LANE_3, subject: 'lane 4' };
const TIMES: AlertTimes = { repeatMs: 3_600_000, resolveMs: 30_000 };

const seen = (...firing: FiringAlert[]): Evaluation => ({ firing, unknown: [] });

/** Applies decisions to what is stored, as the service does. Returns what was told, such as `3700 repeat lag`. */
function run(rounds: readonly [seconds: number, Evaluation][], times: AlertTimes = TIMES): string[] {
  let stored: KnownAlert[] = [];
  let nextId = 1;
  const told: string[] = [];
  for (const [seconds, evaluation] of rounds) {
    const now = at(seconds);
    for (const decision of decideAlerts(stored, evaluation, now, times)) {
      if (decision.kind === 'resolve') {
        stored = stored.filter(({ id }) => id !== decision.known.id);
        told.push(`${seconds} over ${decision.known.rule} ${decision.known.subject}`.trim());
        continue;
      }
      const { rule, subject, title } = decision.alert;
      if (decision.kind === 'fire') {
        const id = String(nextId++);
        stored.push({ id, rule, subject, title, firstAt: now, lastAt: now, notifiedAt: now });
      } else {
        const known = stored.find(({ id }) => id === decision.id)!;
        known.lastAt = now;
        if (decision.kind === 'keep') continue;
        known.notifiedAt = now;
      }
      told.push(`${seconds} ${decision.kind} ${rule} ${subject}`.trim());
    }
  }
  return told;
}

describe('what is told of an alert', () => {
  it('is told once while it goes on, and once when it is over', () => {
    const rounds = [0, 5, 10, 15].map((seconds): [number, Evaluation] => [seconds, seen(LAG)]);
    const calm = [20, 40, 45, 50, 55].map((seconds): [number, Evaluation] => [seconds, seen()]);
    expect(run([...rounds, ...calm])).toEqual(['0 fire lag', '45 over lag']);
  });

  it('is repeated by the interval, counted from the last message', () => {
    const rounds = Array.from({ length: 25 }, (_, n): [number, Evaluation] => [n * 600, seen(LAG)]);
    expect(run(rounds)).toEqual([
      '0 fire lag',
      '3600 repeat lag',
      '7200 repeat lag',
      '10800 repeat lag',
      '14400 repeat lag',
    ]);
  });

  it('is not repeated with an interval of 0', () => {
    const rounds = Array.from({ length: 25 }, (_, n): [number, Evaluation] => [n * 600, seen(LAG)]);
    expect(run(rounds, { ...TIMES, repeatMs: 0 })).toEqual(['0 fire lag']);
  });

  it('is one alert while a value swings around its limit', () => {
    const rounds = Array.from({ length: 40 }, (_, n): [number, Evaluation] => [
      n * 5,
      n % 4 === 0 ? seen(LAG) : seen(),
    ]);
    expect(run(rounds)).toEqual(['0 fire lag']);
  });

  it('is a new alert after it was over', () => {
    expect(
      run([
        [0, seen(LAG)],
        [30, seen()],
        [35, seen(LAG)],
      ]),
    ).toEqual(['0 fire lag', '30 over lag', '35 fire lag']);
  });

  it('is told at once as over, where no calm is asked for', () => {
    expect(
      run(
        [
          [0, seen(LAG)],
          [5, seen()],
        ],
        { ...TIMES, resolveMs: 0 },
      ),
    ).toEqual(['0 fire lag', '5 over lag']);
  });

  it('belongs to each subject', () => {
    expect(
      run([
        [0, seen(LANE_3)],
        [5, seen(LANE_3, LANE_4)],
        [35, seen(LANE_4)],
        [70, seen(LANE_4)],
      ]),
    ).toEqual(['0 fire lane_blocked lane 3', '5 fire lane_blocked lane 4', '35 over lane_blocked lane 3']);
  });

  it('is not told again after a gap in which no process ran', () => {
    expect(
      run([
        [0, seen(LAG)],
        [900, seen(LAG)],
      ]),
    ).toEqual(['0 fire lag']);
  });

  it('is told as over after such a gap, when it ended within it', () => {
    expect(
      run([
        [0, seen(LAG)],
        [900, seen()],
      ]),
    ).toEqual(['0 fire lag', '900 over lag']);
  });

  it('stays as it is while nothing is known about its rule', () => {
    const unknown: Evaluation = { firing: [], unknown: ['lag'] };
    expect(
      run([
        [0, seen(LAG)],
        [600, unknown],
        [605, seen(LAG)],
        [1200, seen()],
      ]),
    ).toEqual(['0 fire lag', '1200 over lag']);
  });

  it('is one alert also when a rule names the same subject twice', () => {
    expect(
      run([
        [0, seen(LANE_3, LANE_3)],
        [5, seen(LANE_3, LANE_3)],
      ]),
    ).toEqual(['0 fire lane_blocked lane 3']);
  });
});

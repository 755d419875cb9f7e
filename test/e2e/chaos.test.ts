import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reportRun, violated } from '../chaos/report.js';
import { runChaos, type ChaosOptions } from '../chaos/run-chaos.js';
import { isCaught, withSabotage } from '../chaos/sabotage.js';
import { provideSurroundings, type Surroundings } from '../chaos/servers/surroundings.js';

const SEED = Math.floor(Math.random() * 2 ** 31);
const never = new AbortController().signal;
const silent = (): void => undefined;

/** As `npm run chaos` without options, but short. */
const SHORT: ChaosOptions = {
  seed: SEED,
  ...{ kills: 6, restarts: 1, cuts: 2, pauses: 1, gapMs: 600 },
  ...{ apis: 2, workers: 2, intervalMs: 500, patienceMs: 15_000 },
  // Tests share the machine with whatever else runs on it; how quick it is, the whole bench asserts.
  recoveryMs: 10_000,
  forgetsIds: false,
};

describe(`the service while its processes, servers and connections die, seed ${SEED}`, () => {
  let surroundings: Surroundings;

  beforeAll(async () => {
    surroundings = await provideSurroundings(silent);
  }, 90_000);
  afterAll(() => surroundings.close(), 30_000);

  it('loses, doubles and reorders nothing that it has acknowledged, and announces all of it', async () => {
    const result = await runChaos(SHORT, surroundings, silent, never);
    expect(violated(result), reportRun(result)).toEqual([]);
    expect(result.lanes).toBeGreaterThanOrEqual(3);
    expect(result.resent).toBeGreaterThan(0);
  }, 180_000);

  // The control: an outage of PostgreSQL between the answer and the insert has to show.
  it('is caught when it acknowledges before it stores', async () => {
    const options = { ...SHORT, kills: 1, cuts: 0, pauses: 0, apis: 1, workers: 1, patienceMs: 2000 };
    const result = await runChaos(withSabotage(options, 'acknowledge-early'), surroundings, silent, never);
    expect(isCaught('acknowledge-early', result), reportRun(result)).toBe(true);
  }, 120_000);
});

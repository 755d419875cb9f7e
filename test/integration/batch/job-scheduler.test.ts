import { Logger, Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  BatchJob,
  BatchModule,
  MemoryJobRepository,
  MemoryTransactionManager,
  ScheduledJob,
  type BatchBuilders,
  type BatchJobClass,
  type JobDefinition,
  type JobSchedule,
} from '../../../src/batch/index.js';

const open: INestApplicationContext[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  for (const app of open.splice(0)) await app.close();
});

/** A process with one scheduled job. */
async function start(
  repository: MemoryJobRepository,
  schedule: JobSchedule,
  work: () => Promise<void> = async () => undefined,
): Promise<INestApplicationContext> {
  @ScheduledJob(schedule)
  @BatchJob()
  class Nightly implements BatchJobClass {
    define(b: BatchBuilders): JobDefinition {
      const step = b.step('work').tasklet(work).build();
      return b
        .job('nightly')
        .parameters({ mode: { type: 'string' } })
        .start(step)
        .build();
    }
  }
  @Module({
    imports: [
      BatchModule.forRoot({ repository, transactionManager: new MemoryTransactionManager() }),
      BatchModule.forFeature([Nightly]),
    ],
  })
  class App {}
  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  open.push(app);
  return app;
}

/** What the scheduler warns of. */
function warnings(): string[] {
  const texts: string[] = [];
  vi.spyOn(Logger.prototype, 'warn').mockImplementation((message: unknown) => void texts.push(String(message)));
  return texts;
}

const fireTimes = async (repository: MemoryJobRepository): Promise<unknown[]> =>
  (await repository.findExecutions({ limit: 99 })).map(({ parameters }) => parameters.get('scheduledAt')).reverse();

const yesterday = new Date(Date.now() - 86_400_000);

describe('a scheduled job', () => {
  it('runs once at each of its times, however many processes there are', async () => {
    const repository = new MemoryJobRepository();
    const everySecond: JobSchedule = { cron: '* * * * * *', parameters: (at) => ({ mode: `at ${at.getSeconds()}` }) };
    const told = warnings();
    const work = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 200));
    for (let process = 0; process < 3; process += 1) await start(repository, everySecond, work);
    await vi.waitFor(async () => expect(await fireTimes(repository)).toHaveLength(3), { timeout: 6000, interval: 20 });
    const times = (await fireTimes(repository)) as Date[];
    expect(times.map((at) => at.getTime() - times[0]!.getTime())).toEqual([0, 1000, 2000]);
    // The run that another process has started is no earlier one.
    expect(told).toEqual([]);
    const [latest] = await repository.findExecutions({ limit: 1 });
    expect(latest!.parameters.get('mode')).toBe(`at ${times[2]!.getSeconds()}`);
  });

  it('whose start is refused has had its time, which is not reported as missed', async () => {
    const repository = new MemoryJobRepository();
    const told = warnings();
    const errors = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    await start(repository, { cron: '* * * * * *', parameters: { unknown: 'parameter' } });
    await vi.waitFor(() => expect(errors.mock.calls.length).toBeGreaterThanOrEqual(2), { timeout: 6000, interval: 20 });
    expect(errors.mock.calls[0]![0]).toMatchObject({
      message: 'A scheduled job was refused',
      job: 'nightly',
      err: { code: 'INVALID_JOB_PARAMETERS' },
    });
    expect(told).toEqual([]);
  });

  it('is left to the process that is about to start it, when another process comes up at its time', async () => {
    const repository = new MemoryJobRepository();
    await repository.saveFireTime('nightly', new Date('2026-03-08T12:00:00Z'));
    const told = warnings();
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.parse('2026-03-09T12:00:01Z'));
    await start(repository, { cron: '0 12 * * *' });
    expect(told).toEqual([]);
    expect(await repository.lastFireTime('nightly')).toEqual(new Date('2026-03-08T12:00:00Z'));
    clock.mockReturnValue(Date.parse('2026-03-09T12:00:06Z'));
    await start(repository, { cron: '0 12 * * *' });
    expect(told).toEqual([expect.stringContaining('missed 1 of its scheduled times')]);
  });

  it('reports the times at which no process ran, and does not make up for them unless it is to', async () => {
    const repository = new MemoryJobRepository();
    await repository.saveFireTime('nightly', new Date('2026-03-08T12:30:00Z'));
    vi.spyOn(Date, 'now').mockReturnValue(Date.parse('2026-03-09T12:30:00Z'));
    const told = warnings();
    await start(repository, { cron: '0 * * * *' });
    expect(told).toEqual([expect.stringMatching(/"nightly" missed 24 of its scheduled times, from .* no process ran/)]);
    expect(await fireTimes(repository)).toEqual([]);
    await start(repository, { cron: '0 * * * *' });
    expect(told).toHaveLength(1);
  });

  it('makes up once for the times that were missed, for the last of them', async () => {
    const repository = new MemoryJobRepository();
    await repository.saveFireTime('nightly', yesterday);
    const told = warnings();
    await start(repository, { cron: '0 * * * *', missed: 'run' });
    await start(repository, { cron: '0 * * * *', missed: 'run' });
    const hour = new Date();
    hour.setUTCMinutes(0, 0, 0);
    expect(told).toHaveLength(1);
    expect(await fireTimes(repository)).toEqual([hour]);
  });

  it.each([
    ['goes on', '* * * * * *', '2026-03-09T12:00:00.000Z'],
    ['ended long ago', '* * * 1 3 *', '2026-03-01T23:59:59.000Z'],
  ])('makes up for the last of very many times, of a schedule that %s', async (_, cron, last) => {
    const repository = new MemoryJobRepository();
    await repository.saveFireTime('nightly', new Date('2026-03-01T12:00:00Z'));
    vi.spyOn(Date, 'now').mockReturnValue(Date.parse('2026-03-09T12:00:00Z'));
    const told = warnings();
    await start(repository, { cron, missed: 'run' });
    expect(told).toEqual([expect.stringContaining(`missed 1000 or more of its scheduled times`)]);
    expect(await fireTimes(repository)).toEqual([new Date(last)]);
  });

  it('has missed nothing before it was known', async () => {
    const repository = new MemoryJobRepository();
    const told = warnings();
    await start(repository, { cron: '0 * * * *', missed: 'run' });
    expect(told).toEqual([]);
    expect(await fireTimes(repository)).toEqual([]);
  });

  it('runs at a time at which another process comes up, which knew of no schedule a moment before', async () => {
    const repository = new MemoryJobRepository();
    const told = warnings();
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-03-09T11:59:59Z') });
    await start(repository, { cron: '0 12 * * *' });
    vi.setSystemTime(new Date('2026-03-09T12:00:01Z'));
    // The other process has asked before the first one has stored its time.
    let asked = false;
    const lastFireTime = async (jobName: string): Promise<Date | undefined> => {
      if (asked) return repository.lastFireTime(jobName);
      asked = true;
      return undefined;
    };
    const late = Object.create(repository, { lastFireTime: { value: lastFireTime } }) as MemoryJobRepository;
    await start(late, { cron: '0 12 * * *' });
    expect(await repository.lastFireTime('nightly')).toEqual(new Date('2026-03-09T11:59:59Z'));
    expect(told).toEqual([]);
  });

  it.each([
    ['is left out while an earlier run goes on', undefined, 1],
    ['begins beside an earlier run where that is allowed', 'allow' as const, 2],
  ])('%s', async (_, overlap, runs) => {
    const repository = new MemoryJobRepository();
    const told = warnings();
    let free = (): void => undefined;
    const blocked = new Promise<void>((resolve) => (free = resolve));
    await start(repository, { cron: '* * * * * *', ...(overlap && { overlap }) }, () => blocked);
    await vi.waitFor(
      async () => expect(overlap ? await fireTimes(repository) : told).toHaveLength(overlap ? runs : 1),
      { timeout: 5000, interval: 20 },
    );
    expect(await fireTimes(repository)).toHaveLength(runs);
    if (!overlap) expect(told[0]).toMatch(/"nightly" is not started for .*: an earlier run goes on/);
    free();
  });

  it('runs at the hour of its time zone', async () => {
    const repository = new MemoryJobRepository();
    await repository.saveFireTime('nightly', new Date('2026-01-01T00:00:00Z'));
    vi.spyOn(Date, 'now').mockReturnValue(Date.parse('2026-01-01T23:59:00Z'));
    warnings();
    await start(repository, { cron: '0 3 * * *', timeZone: 'Asia/Tokyo', missed: 'run' });
    expect(await fireTimes(repository)).toEqual([new Date('2026-01-01T18:00:00Z')]);
  });
});

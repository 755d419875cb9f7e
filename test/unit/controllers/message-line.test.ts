import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MessageLine, type LineMessage, type LineOutcome } from '../../../src/controllers/rpc/message-line.js';
import type { IServiceError } from '../../../src/interfaces/error.js';
import type { PipelinePlace } from '../../../src/services/intake/submission-pipeline.js';
import { AttemptsInMemory } from '../../support/attempts-in-memory.js';

const AWAY: IServiceError = { status: 'error', code: 'SERVICE_UNAVAILABLE', message: 'The database is out of reach' };
const FULL: IServiceError = { status: 'error', code: 'QUEUE_FULL', message: 'Too many operations wait' };
const DONE: LineOutcome = {};
const AGAIN: LineOutcome = { fault: AWAY, again: true };

interface Begun {
  name: string;
  place: PipelinePlace;
  end: (outcome?: LineOutcome) => void;
}

describe('a line of messages', () => {
  let line: MessageLine;
  let attempts: AttemptsInMemory;
  /** In order, and not ended yet. */
  let begun: Begun[];
  /** What happened, in order. */
  let told: string[];

  beforeEach(() => {
    vi.useFakeTimers();
    attempts = new AttemptsInMemory();
    line = new MessageLine(attempts);
    begun = [];
    told = [];
  });
  afterEach(async () => {
    for (const { end } of begun) end();
    await line.end();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

  interface Traits {
    turn?: LineMessage['turn'];
    request?: boolean;
    cameBack?: boolean;
    /** Its operations stand in the intake as soon as it is begun. Default: true. */
    submits?: boolean;
  }

  function message(
    name: string,
    { turn = 'pipelined', request = false, cameBack = false, submits = true }: Traits = {},
  ) {
    const made: LineMessage = {
      fingerprint: cameBack ? name : undefined,
      turn,
      execute: (place) =>
        new Promise((resolve) => {
          told.push(name);
          begun.push({
            name,
            place,
            end: (outcome = DONE) => {
              begun = begun.filter((each) => each.name !== name);
              resolve(outcome);
            },
          });
          if (submits) place.submitted();
        }),
      ...(request && { refuse: ({ code }) => told.push(`${name} refused: ${code}`) }),
      giveUp: () => {
        told.push(`${name} given up`);
        return Promise.resolve();
      },
    };
    return made;
  }

  const add = (name: string, traits?: Traits): void => line.add(message(name, traits));
  const end = async (name: string, outcome?: LineOutcome): Promise<void> => {
    const found = begun.find((each) => each.name === name);
    if (found === undefined) throw new Error(`${name} is not under way: ${begun.map((each) => each.name).join()}`);
    found.end(outcome);
    await settle();
  };
  const names = (): string[] => begun.map(({ name }) => name);

  it('are begun in their order, without awaiting the ends of those before', async () => {
    for (const name of ['a', 'b', 'c']) add(name);
    await settle();
    expect(names()).toEqual(['a', 'b', 'c']);
  });

  it('are begun when the operations of the one before stand in the intake, not sooner', async () => {
    add('a', { submits: false });
    add('b');
    await settle();
    expect(names()).toEqual(['a']);
    begun[0]!.place.submitted();
    await settle();
    expect(names()).toEqual(['a', 'b']);
  });

  it('wait behind one that creates nothing, and it behind them', async () => {
    add('a');
    add('cancel', { turn: 'alone' });
    add('b');
    await settle();
    expect(names()).toEqual(['a']);
    await end('a');
    expect(names()).toEqual(['cancel']);
    await end('cancel');
    expect(names()).toEqual(['b']);
  });

  it('let a request pass that creates nothing', async () => {
    add('a', { submits: false });
    add('b');
    add('read', { turn: 'unordered', request: true });
    await settle();
    expect(names()).toContain('read');
    expect(names()).not.toContain('b');
  });

  describe('of which one meets a fault that passes', () => {
    beforeEach(async () => {
      for (const name of ['a', 'b', 'c']) add(name);
      await settle();
      told = [];
    });

    it('all wait until it succeeds, then go on in their order', async () => {
      await end('a', AGAIN);
      await end('b', AGAIN);
      await end('c', AGAIN);
      add('d');
      await vi.advanceTimersByTimeAsync(500);
      expect(told).toEqual(['a']);
      await end('a', AGAIN);
      await vi.advanceTimersByTimeAsync(500);
      expect(told).toEqual(['a', 'a']);
      expect(line.length).toBe(3);
      await end('a');
      expect(told).toEqual(['a', 'a', 'b', 'c', 'd']);
    });

    it('keep the order of delivery, in whatever order they fail', async () => {
      await end('c', AGAIN);
      await end('a', AGAIN);
      await end('b', AGAIN);
      await vi.advanceTimersByTimeAsync(500);
      await end('a');
      expect(told).toEqual(['a', 'b', 'c']);
    });

    it('await the ends of those that are under way before the next attempt', async () => {
      await end('b', AGAIN);
      await vi.advanceTimersByTimeAsync(2000);
      expect(told).toEqual([]);
      await end('c', AGAIN);
      expect(told).toEqual([]);
      // What came before it was stored: the next attempt need not wait.
      await end('a');
      expect(told).toEqual(['b']);
      await end('b');
      expect(told).toEqual(['b', 'c']);
    });

    it('wait, and requests are answered at once', async () => {
      add('early', { request: true });
      await settle();
      add('waits behind one alone', { turn: 'alone' });
      add('late', { request: true });
      await end('a', { fault: FULL, again: true });
      expect(told).toEqual(['early', 'late refused: QUEUE_FULL']);
      add('later', { request: true });
      add('read', { turn: 'unordered', request: true });
      expect(told.slice(2)).toEqual(['later refused: QUEUE_FULL', 'read']);
    });

    it('wait behind one that will not be tried again as well, for a moment', async () => {
      await end('a', { fault: AWAY });
      await end('b');
      await end('c');
      add('d');
      await settle();
      // Those that came before it have succeeded meanwhile.
      expect(told).toEqual(['d']);
      await end('d', { fault: AWAY });
      add('e');
      await vi.advanceTimersByTimeAsync(400);
      expect(told).toEqual(['d']);
      await vi.advanceTimersByTimeAsync(100);
      expect(told).toEqual(['d', 'e']);
    });

    it('refuse no request any more when the fault is over and nothing waits', async () => {
      for (const name of ['a', 'b', 'c']) await end(name, { fault: AWAY });
      add('early', { request: true });
      await vi.advanceTimersByTimeAsync(500);
      add('late', { request: true });
      await settle();
      expect(told).toEqual(['early refused: SERVICE_UNAVAILABLE', 'late']);
    });

    it('hand over nothing behind the one that the intake could not store', async () => {
      const [a, b] = begun;
      a!.place.begin();
      a!.place.fail({ code: 'SERVICE_UNAVAILABLE' } as never);
      expect(b!.place.begin()).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
      expect(b!.place.begun).toBe(false);
      for (const name of ['a', 'b', 'c']) await end(name, AGAIN);
      await vi.advanceTimersByTimeAsync(500);
      expect(begun[0]!.place.begin()).toBeUndefined();
    });
  });

  describe('that were delivered before', () => {
    const back = (name: string, traits: Traits = {}): void => add(name, { cameBack: true, ...traits });
    const recorded = async (...fingerprints: string[]): Promise<number[]> => {
      const counts = await attempts.count(fingerprints);
      return fingerprints.map((fingerprint) => counts.get(fingerprint) ?? 0);
    };

    it('are recorded before they are begun, until they have ended', async () => {
      back('a');
      back('b');
      await settle();
      expect(names()).toEqual(['a', 'b']);
      expect(await recorded('a', 'b')).toEqual([1, 1]);
      await end('a');
      await end('b');
      expect(await recorded('a', 'b')).toEqual([0, 0]);
    });

    it('are begun apart from what comes new', async () => {
      back('a');
      add('new');
      add('read', { turn: 'unordered', request: true });
      await settle();
      expect(names()).toEqual(['a']);
      await end('a');
      expect(names()).toEqual(['new', 'read']);
    });

    it('are begun alone when they were begun before without an end', async () => {
      await attempts.begin(['b']);
      for (const name of ['a', 'b', 'c']) back(name);
      await settle();
      expect(names()).toEqual(['a']);
      await end('a');
      expect(names()).toEqual(['b']);
      await end('b');
      expect(names()).toEqual(['c']);
    });

    it('are given up when they were begun twice without an end', async () => {
      await attempts.begin(['b']);
      await attempts.begin(['b']);
      for (const name of ['a', 'b', 'c']) back(name);
      await settle();
      await end('a');
      expect(told).toEqual(['a', 'b given up', 'c']);
      expect(await recorded('b')).toEqual([0]);
    });

    it('are not begun while they cannot be recorded, and requests among them are answered', async () => {
      const begin = attempts.begin.bind(attempts);
      attempts.begin = () => Promise.reject(new Error('the database is away'));
      back('a');
      back('b', { request: true });
      await settle();
      expect(told).toEqual(['b refused: SERVICE_UNAVAILABLE']);
      attempts.begin = begin;
      await vi.advanceTimersByTimeAsync(500);
      expect(told.slice(1)).toEqual(['a']);
    });

    it('keep their place when they meet a fault, and are not recorded again', async () => {
      back('a');
      back('b');
      add('new');
      await settle();
      await end('a', AGAIN);
      await end('b', AGAIN);
      await vi.advanceTimersByTimeAsync(500);
      await end('a');
      expect(told).toEqual(['a', 'b', 'a', 'b']);
      expect(await recorded('a', 'b')).toEqual([1, 1]);
      await end('b');
      expect(told.at(-1)).toBe('new');
      expect(await recorded('a', 'b')).toEqual([0, 0]);
    });

    it('are given up for no fault of the service, however often processes end while they wait', async () => {
      for (let process = 0; process < 3; process += 1) {
        back('a');
        for (let attempt = 0; attempt < 3; attempt += 1) {
          await settle();
          await end('a', AGAIN);
          expect(await recorded('a')).toEqual([0]);
          await vi.advanceTimersByTimeAsync(500);
        }
        await end('a', AGAIN);
        // It ends without a word.
        const { conclude } = attempts;
        attempts.conclude = () => Promise.reject(new Error('killed'));
        await line.end();
        attempts.conclude = conclude;
        line = new MessageLine(attempts);
      }
      expect(told).not.toContain('a given up');
    });

    it('are given up for no outage in which their ends cannot be recorded', async () => {
      const conclude = attempts.conclude.bind(attempts);
      back('a');
      await settle();
      for (let outage = 0; outage < 3; outage += 1) {
        attempts.conclude = () => Promise.reject(new Error('the database is away'));
        await end('a', AGAIN);
        await vi.advanceTimersByTimeAsync(500);
        attempts.conclude = conclude;
        await vi.advanceTimersByTimeAsync(500);
      }
      expect(told).toEqual(['a', 'a', 'a', 'a']);
      expect(await recorded('a')).toEqual([1]);
    });

    it('are no longer recorded when the channel is lost and they have ended here', async () => {
      back('a');
      await settle();
      const ended = line.end();
      await end('a');
      await ended;
      expect(await recorded('a')).toEqual([0]);
    });
  });

  it('are left to the broker when it ends', async () => {
    add('a', { submits: false });
    add('b');
    await settle();
    const ended = line.end();
    await end('a', AGAIN);
    await ended;
    add('c');
    await vi.advanceTimersByTimeAsync(5000);
    expect(told).toEqual(['a']);
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LineMessage, LineOutcome } from '../../../src/controllers/rpc/message-line.js';
import { MessageLines } from '../../../src/controllers/rpc/message-lines.js';
import { Suspects } from '../../../src/controllers/rpc/suspects.js';
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

describe('messages of a channel', () => {
  let lines: MessageLines;
  let attempts: AttemptsInMemory;
  let suspects: Suspects;
  /** In order, and not ended yet. */
  let begun: Begun[];
  /** What happened, in order. */
  let told: string[];

  beforeEach(() => {
    vi.useFakeTimers();
    attempts = new AttemptsInMemory();
    suspects = new Suspects(attempts);
    lines = new MessageLines(suspects);
    begun = [];
    told = [];
  });
  afterEach(async () => {
    for (const { end } of begun) end();
    await lines.end();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

  interface Traits {
    turn?: LineMessage['turn'];
    request?: boolean;
    cameBack?: boolean;
    sender?: string;
    /** Its operations stand in the intake as soon as it is begun. Default: true. */
    submits?: boolean;
    /** It is large: reading it ends with this. */
    read?: Promise<void>;
  }

  function message(
    name: string,
    { sender, turn = 'pipelined', request = false, cameBack = false, submits = true, read }: Traits = {},
  ) {
    const made: LineMessage = {
      sender,
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
      ...(read !== undefined && { read: () => read }),
      ...(request && { refuse: ({ code }) => told.push(`${name} refused: ${code}`) }),
      giveUp: () => {
        told.push(`${name} given up`);
        return Promise.resolve();
      },
    };
    return made;
  }

  const add = (name: string, traits?: Traits): void => lines.add(message(name, traits));
  const end = async (name: string, outcome?: LineOutcome): Promise<void> => {
    const found = begun.find((each) => each.name === name);
    if (found === undefined) throw new Error(`${name} is not under way: ${begun.map((each) => each.name).join()}`);
    found.end(outcome);
    await settle();
  };
  const placeOf = (name: string): PipelinePlace => begun.find((each) => each.name === name)!.place;
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
      expect(lines.length).toBe(3);
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
      await vi.advanceTimersByTimeAsync(1000);
      expect(names()).toEqual(['b']);
      await end('b');
      expect(names()).toEqual(['c']);
    });

    it('are begun alone after a second in which nothing else is begun', async () => {
      await attempts.begin(['a', 'b']);
      for (const name of ['a', 'b']) back(name);
      add('new');
      await vi.advanceTimersByTimeAsync(999);
      expect(told).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect(names()).toEqual(['a']);
      await end('a');
      expect(names()).toEqual(['b']);
      await end('b');
      expect(names()).toEqual(['new']);
    });

    it('are given up when they were begun four times without an end', async () => {
      for (let process = 0; process < 4; process += 1) await attempts.begin(['b']);
      for (const name of ['a', 'b', 'c']) back(name);
      await settle();
      await end('a');
      await vi.advanceTimersByTimeAsync(1000);
      expect(told).toEqual(['a', 'b given up', 'c']);
      expect(await recorded('b')).toEqual([0]);
    });

    /** The next process begins when this one is killed. */
    const killed = (): void => {
      vi.clearAllTimers();
      begun = [];
      suspects = new Suspects(attempts);
      lines = new MessageLines(suspects);
    };

    it('are not given up when processes are killed during their first attempts', async () => {
      for (let process = 0; process < 3; process += 1) {
        back('a');
        await vi.advanceTimersByTimeAsync(1000);
        expect(names()).toEqual(['a']);
        killed();
      }
      back('a');
      await vi.advanceTimersByTimeAsync(1000);
      await end('a');
      expect(told).toEqual(['a', 'a', 'a', 'a']);
      expect(await recorded('a')).toEqual([0]);
    });

    it('are given up for no process that is killed soon after it got them, however many there are', async () => {
      await attempts.begin(['a']);
      for (let process = 0; process < 20; process += 1) {
        back('a');
        await vi.advanceTimersByTimeAsync(900);
        killed();
      }
      expect(told).toEqual([]);
      expect(await recorded('a')).toEqual([1]);
    });

    it('are not begun alone when their channel is lost before', async () => {
      await attempts.begin(['a']);
      back('a');
      await settle();
      const ended = lines.end();
      await vi.advanceTimersByTimeAsync(1000);
      await ended;
      expect(told).toEqual([]);
      expect(await recorded('a')).toEqual([1]);
    });

    it('are begun together when their attempts on a lost channel have ended meanwhile', async () => {
      await attempts.begin(['a', 'b']);
      for (const name of ['a', 'b']) back(name);
      await settle();
      await attempts.conclude(['a', 'b']);
      await vi.advanceTimersByTimeAsync(1000);
      expect(names()).toEqual(['a', 'b']);
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
        await lines.end();
        attempts.conclude = conclude;
        suspects = new Suspects(attempts);
        lines = new MessageLines(suspects);
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

    it('are given up for no outage in which their ends cannot be recorded and the channel is lost', async () => {
      const conclude = attempts.conclude.bind(attempts);
      for (let outage = 0; outage < 5; outage += 1) {
        back('a');
        await settle();
        attempts.conclude = () => Promise.reject(new Error('the database is away'));
        await end('a', AGAIN);
        await lines.end();
        attempts.conclude = conclude;
        lines = new MessageLines(suspects);
      }
      expect(told).toEqual(['a', 'a', 'a', 'a', 'a']);
    });

    it('are no longer recorded when the channel is lost and they have ended here', async () => {
      back('a');
      await settle();
      const ended = lines.end();
      await end('a');
      await ended;
      expect(await recorded('a')).toEqual([0]);
    });
  });

  describe('of several senders', () => {
    const a = (name: string, traits: Traits = {}): void => add(name, { sender: 'a', ...traits });
    const b = (name: string, traits: Traits = {}): void => add(name, { sender: 'b', ...traits });
    const recorded = async (...fingerprints: string[]): Promise<number[]> => {
      const counts = await attempts.count(fingerprints);
      return fingerprints.map((fingerprint) => counts.get(fingerprint) ?? 0);
    };

    it('are begun while those of another stand in no intake yet', async () => {
      a('a1', { submits: false });
      a('a2');
      b('b1');
      add('c1');
      await settle();
      expect(names()).toEqual(['a1', 'b1', 'c1']);
    });

    it('wait for no event of another that creates nothing', async () => {
      a('a1', { turn: 'alone' });
      a('a2');
      b('b1', { turn: 'alone' });
      b('b2');
      await settle();
      expect(names()).toEqual(['a1', 'b1']);
      await end('b1');
      expect(names()).toEqual(['a1', 'b2']);
    });

    it('go on while the events of another wait, and only its requests are refused', async () => {
      a('a1');
      await settle();
      await end('a1', { fault: FULL, again: true });
      told = [];
      a('a2');
      a('asked by a', { request: true });
      b('b1');
      b('asked by b', { request: true });
      add('asked by nobody', { request: true });
      await settle();
      expect(told[0]).toBe('asked by a refused: QUEUE_FULL');
      expect(told.slice(1).sort()).toEqual(['asked by b', 'asked by nobody', 'b1']);
      expect(lines.length).toBe(2);
      await vi.advanceTimersByTimeAsync(500);
      await end('a1');
      expect(told.slice(4)).toEqual(['a1', 'a2']);
    });

    it('stand in orders of their own, so that the intake gives each an equal part', async () => {
      a('a1');
      a('a2');
      b('b1');
      await settle();
      const [a1, a2, b1] = ['a1', 'a2', 'b1'].map((name) => placeOf(name).order);
      expect(a2).toBe(a1);
      expect(b1).not.toBe(a1);
    });

    it('fail apart: what the intake could not store of one holds back nothing of another', async () => {
      a('a1');
      a('a2');
      b('b1');
      await settle();
      const [a1, a2, b1] = ['a1', 'a2', 'b1'].map(placeOf);
      a1!.begin();
      a1!.fail({ code: 'SERVICE_UNAVAILABLE' } as never);
      expect(a2!.begin()).toBeDefined();
      expect(b1!.begin()).toBeUndefined();
    });

    /** @returns what ends its reading */
    const large = (sender: typeof a): (() => void) => {
      let finish = (): void => undefined;
      sender('large', { read: new Promise((resolve) => (finish = resolve)) });
      return finish;
    };

    it('wait for a large one of their own sender that is still being read, and for no other', async () => {
      const finish = large(a);
      a('a2');
      b('b1');
      await settle();
      expect(names()).toEqual(['b1']);
      finish();
      await settle();
      expect(names()).toEqual(['b1', 'large', 'a2']);
    });

    it('are not begun any more when the end comes while one is read', async () => {
      const finish = large(a);
      a('a2');
      const ended = lines.end();
      finish();
      await ended;
      await settle();
      expect(names()).toEqual([]);
    });

    it('leave nothing behind when they have ended', async () => {
      for (let sender = 0; sender < 100; sender += 1) {
        add(`event ${sender}`, { sender: `user ${sender}` });
        add(`read ${sender}`, { sender: `user ${sender}`, turn: 'unordered', request: true });
      }
      await settle();
      expect(lines.senders).toBe(100);
      for (const { end: done } of begun) done();
      await settle();
      expect(lines.senders).toBe(0);
    });

    it('leave nothing behind when all that they sent was requests which create nothing', () => {
      a('read', { turn: 'unordered', request: true });
      expect(names()).toEqual(['read']);
      expect(lines.senders).toBe(0);
    });

    it('keep their order when one has nothing under way for a while', async () => {
      a('a1');
      await settle();
      await end('a1');
      a('a2', { submits: false });
      a('a3');
      await settle();
      expect(names()).toEqual(['a2']);
    });

    describe('of which one was delivered before', () => {
      it('are not begun while it is under way', async () => {
        a('a1', { cameBack: true });
        await settle();
        b('b1');
        b('read by b', { turn: 'unordered', request: true });
        b('b2', { cameBack: true });
        add('c1', { turn: 'alone' });
        await settle();
        expect(names()).toEqual(['a1']);
        await end('a1');
        // What came back to another is apart as well, with nothing beside it.
        expect(names()).not.toContain('b2');
        for (const name of names()) await end(name);
        expect(names()).toEqual(['b2']);
      });

      it.each<LineMessage['turn']>(['pipelined', 'alone', 'unordered'])(
        'have ended before it is begun (%s)',
        async (turn) => {
          b('b1', { turn, request: turn === 'unordered' });
          await settle();
          a('a1', { cameBack: true });
          await settle();
          expect(names()).toEqual(['b1']);
          expect(await recorded('a1')).toEqual([0]);
          await end('b1');
          expect(names()).toEqual(['a1']);
          expect(await recorded('a1')).toEqual([1]);
        },
      );

      it('keep it waiting for those only that came before it', async () => {
        b('b1');
        await settle();
        a('a1', { cameBack: true });
        await settle();
        b('b2');
        add('c1');
        await settle();
        expect(names()).toEqual(['b1']);
        await end('b1');
        expect(names()).toEqual(['a1']);
        await end('a1');
        expect(names().sort()).toEqual(['b2', 'c1']);
      });

      it('take turns with it when it is tried again and again', async () => {
        a('a1', { cameBack: true });
        await settle();
        for (let round = 0; round < 3; round += 1) {
          await end('a1', AGAIN);
          b(`b${round}`);
          await settle();
          expect(names()).toEqual([`b${round}`]);
          await end(`b${round}`);
          await vi.advanceTimersByTimeAsync(500);
          expect(names()).toEqual(['a1']);
        }
      });

      it('are recorded sender by sender, and each is blamed for itself', async () => {
        for (let process = 0; process < 4; process += 1) await attempts.begin(['b1']);
        a('a1', { cameBack: true });
        b('b1', { cameBack: true });
        b('b2', { cameBack: true });
        await settle();
        expect(names()).toEqual(['a1']);
        expect(await recorded('a1', 'b1', 'b2')).toEqual([1, 4, 0]);
        await end('a1');
        await vi.advanceTimersByTimeAsync(1000);
        expect(told).toEqual(['a1', 'b1 given up', 'b2']);
        expect(await recorded('a1', 'b1', 'b2')).toEqual([0, 0, 1]);
      });

      it('are not begun when the channel is lost meanwhile', async () => {
        a('a1', { cameBack: true });
        await settle();
        b('b1');
        b('read by b', { turn: 'unordered', request: true });
        b('b2', { cameBack: true });
        const ended = lines.end();
        await end('a1');
        await ended;
        expect(told).toEqual(['a1']);
        expect(await recorded('a1', 'b2')).toEqual([0, 0]);
      });
    });
  });

  it('that were recorded and not begun before a fault are recorded anew', async () => {
    add('a', { cameBack: true, turn: 'alone' });
    add('b', { cameBack: true });
    await settle();
    await end('a', AGAIN);
    await vi.advanceTimersByTimeAsync(500);
    await end('a');
    expect(names()).toEqual(['b']);
    expect((await attempts.count(['b'])).get('b')).toBe(1);
    await end('b');
    expect((await attempts.count(['b'])).get('b') ?? 0).toBe(0);
  });

  it('are left to the broker when it ends', async () => {
    add('a', { submits: false });
    add('b');
    await settle();
    const ended = lines.end();
    await end('a', AGAIN);
    await ended;
    add('c');
    await vi.advanceTimersByTimeAsync(5000);
    expect(told).toEqual(['a']);
  });
});

import { Logger } from '@nestjs/common';
import type { IServiceError } from '../../interfaces/error.js';
import { SubmissionPipeline, type PipelinePlace } from '../../services/intake/submission-pipeline.js';
import { Suspects, type AttemptLog } from './suspects.js';

/**
 * How often the first message is tried again. After the fault has ended, the messages behind it continue within this
 * time.
 */
const RETRY_EVERY_MS = 500;

/** The result of executing a message. */
export interface LineOutcome {
  /** An event met a temporary fault of the service: later messages wait. */
  fault?: IServiceError;
  /** It has to be executed again, before later messages. */
  again?: boolean;
}

/** A message that waits for its turn. */
export interface LineMessage {
  /**
   * Set if it was delivered before. It is recorded with this value before it is begun, and nothing of it is read
   * before.
   */
  readonly fingerprint: string | undefined;
  /**
   * `pipelined`: it creates operations, whose order intake keeps. `alone`: another event, which begins when earlier
   * messages have ended. `unordered`: another request, which begins at once.
   */
  readonly turn: 'pipelined' | 'alone' | 'unordered';
  /** Never rejects. */
  execute(place: PipelinePlace): Promise<LineOutcome>;
  /** Answers instead of waiting. Absent in an event. */
  refuse?(refusal: IServiceError): void;
  /** Two processes have ended while they executed it. Resolves when it will not come again. */
  giveUp(): Promise<void>;
}

interface Entry {
  message: LineMessage;
  /** In the order of delivery. */
  position: number;
  suspect: boolean;
}

/**
 * The messages of a channel, in the order of their delivery. It promises that events, and requests that create
 * operations, take effect in that order. Messages are begun one after another without awaiting their ends. If an event
 * meets a temporary fault, it and all later events wait until it succeeds, however long that takes, and requests are
 * answered with the fault at once. A message that was delivered before is begun apart from everything else (see
 * `Suspects`).
 */
export class MessageLine {
  private readonly logger = new Logger('RPC');
  private readonly ending = new AbortController();
  private readonly suspects: Suspects;
  /** Not begun, or to be begun again. */
  private readonly waiting: Entry[] = [];
  private positions = 0;
  private underWay = 0;
  private pipeline = new SubmissionPipeline();
  /** Why events wait, and since when. */
  private held: { by: IServiceError; since: number; retryAt: number } | undefined;
  private notify: () => void = () => undefined;
  private readonly running: Promise<void>;

  constructor(attempts: AttemptLog) {
    this.suspects = new Suspects(attempts);
    this.running = this.run();
  }

  /** How many messages wait for their turn. */
  get length(): number {
    return this.waiting.length;
  }

  add(message: LineMessage): void {
    const suspect = message.fingerprint !== undefined;
    if (!suspect && message.turn === 'unordered' && !this.keepsApart()) return this.executeBeside(message);
    this.positions += 1;
    this.waiting.push({ message, position: this.positions, suspect });
    if (this.held !== undefined) this.answerRequests(this.held.by);
    this.notify();
  }

  /**
   * Begins nothing more. Waiting messages return to the broker. Resolves when the messages in progress have ended. May
   * be repeated.
   */
  async end(): Promise<void> {
    this.ending.abort();
    this.notify();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.ending.signal.aborted) await this.step();
    while (this.underWay > 0) await this.change();
    if (this.suspects.underWay) await this.suspects.conclude();
  }

  /** Waits for something, or begins something. After that everything may have changed. */
  private async step(): Promise<void> {
    const [head] = this.waiting;
    const apart = this.isApart(head);
    if (head === undefined && !apart && this.held === undefined) return this.change();
    if (this.underWay > 0 && (head === undefined || apart || this.needsQuiet(head))) return this.change();
    // Before any pause: if the process ends during a pause, none of these messages has ended it.
    if (apart) return this.suspects.conclude();
    if (this.held !== undefined && this.held.retryAt > performance.now()) return this.pause(this.held.retryAt);
    if (head === undefined) return this.release();
    if (head.suspect) return this.beginSuspects();
    return this.begin(this.waiting.shift()!);
  }

  /** Whether the suspects that were begun last have to end before the message may be begun. */
  private isApart(head: Entry | undefined): boolean {
    return this.suspects.underWay && (head === undefined || head.suspect || head.message.fingerprint === undefined);
  }

  private needsQuiet({ suspect, message }: Entry): boolean {
    return this.held !== undefined || this.pipeline.aborted || suspect || message.turn === 'alone';
  }

  /** Resolves when the next message may have its turn. */
  private async begin(entry: Entry): Promise<void> {
    // Quiet: nothing of the old pipeline is in progress.
    if (this.pipeline.aborted) this.pipeline = new SubmissionPipeline();
    const { message } = entry;
    const isEvent = message.refuse === undefined;
    if (this.held !== undefined || message.turn === 'alone') {
      const fault = await this.execute(entry, this.pipeline.place({ retried: isEvent }));
      if (fault === undefined) this.release();
      return;
    }
    if (message.turn === 'unordered') {
      void this.execute(entry, this.pipeline.place({ retried: false }));
      return;
    }
    await new Promise<void>((resolve) => {
      const place = this.pipeline.place({ retried: isEvent, onSubmitted: resolve });
      void this.execute(entry, place).then(() => resolve());
    });
  }

  /** @returns the fault that it met */
  private async execute(entry: Entry, place: PipelinePlace): Promise<IServiceError | undefined> {
    this.underWay += 1;
    const { fault, again } = await entry.message.execute(place);
    this.underWay -= 1;
    if (again === true) {
      // It has ended normally, so this attempt does not count. The next one is recorded again.
      entry.suspect = entry.message.fingerprint !== undefined;
      this.putBack(entry);
    }
    if (fault !== undefined) this.hold(fault);
    // Room may be free when messages that were begun before the fault have ended, so the next attempt need not wait.
    else if (this.held !== undefined) this.held.retryAt = 0;
    this.notify();
    return fault;
  }

  private executeBeside(message: LineMessage): void {
    void message.execute(new SubmissionPipeline().place({ retried: false }));
  }

  private putBack(entry: Entry): void {
    const behind = this.waiting.findIndex(({ position }) => position > entry.position);
    this.waiting.splice(behind === -1 ? this.waiting.length : behind, 0, entry);
  }

  private hold(by: IServiceError): void {
    const now = performance.now();
    if (this.held === undefined)
      this.logger.warn({ msg: `Events wait, in their order, because of ${by.code}`, code: by.code });
    this.held = { by, since: this.held?.since ?? now, retryAt: now + RETRY_EVERY_MS };
    this.answerRequests(by);
  }

  private release(): void {
    if (this.held === undefined) return;
    const seconds = Math.round((performance.now() - this.held.since) / 1000);
    this.held = undefined;
    this.logger.log({ msg: `Events go on after ${seconds} s`, waiting: this.waiting.length });
  }

  /** Messages that create operations must not overtake the events that wait. */
  private answerRequests(refusal: IServiceError): void {
    const requests = this.waiting.filter(({ message }) => message.refuse !== undefined);
    if (requests.length === 0) return;
    const events = this.waiting.filter(({ message }) => message.refuse === undefined);
    this.waiting.splice(0, this.waiting.length, ...events);
    for (const { message, suspect } of requests) {
      if (!suspect && message.turn === 'unordered') this.executeBeside(message);
      else message.refuse!(refusal);
    }
  }

  private async beginSuspects(): Promise<void> {
    const behind = this.waiting.findIndex(({ suspect }) => !suspect);
    const entries = this.waiting.slice(0, behind === -1 ? undefined : behind);
    const fingerprints = entries.map(({ message }) => message.fingerprint!);
    try {
      const count = await this.suspects.begin(fingerprints);
      for (const entry of entries.slice(0, count)) entry.suspect = false;
      if (count > 0) return;
    } catch (error) {
      this.logger.warn(`Messages that were delivered before wait: ${(error as Error).message}`);
      return this.hold(databaseAway());
    }
    this.waiting.shift();
    await entries[0]!.message.giveUp();
    await this.suspects.forget(fingerprints.slice(0, 1));
  }

  /** Whether something is, or will be, executed apart from everything else. */
  private keepsApart(): boolean {
    return this.held === undefined && (this.suspects.underWay || this.waiting.some(({ suspect }) => suspect));
  }

  /** Resolves at that time, or when something has changed. */
  private async pause(until: number): Promise<void> {
    const timer = setTimeout(() => this.notify(), until - performance.now());
    await this.change();
    clearTimeout(timer);
  }

  /** Resolves when something has changed. */
  private change(): Promise<void> {
    return new Promise((resolve) => {
      this.notify = resolve;
    });
  }
}

function databaseAway(): IServiceError {
  return {
    status: 'error',
    code: 'SERVICE_UNAVAILABLE',
    message: 'The database is out of reach; nothing of this request was begun, send it again',
  };
}

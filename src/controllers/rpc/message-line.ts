import { Logger } from '@nestjs/common';
import type { IServiceError } from '../../interfaces/error.js';
import { quoteForMessage } from '../../services/errors/quote-for-message.js';
import { SubmissionPipeline, type PipelinePlace } from '../../services/intake/submission-pipeline.js';
import type { ExecutionGate, Leave } from './execution-gate.js';
import type { Suspects } from './suspects.js';

/** The first message is tried again at this interval. After a fault, later messages continue within this time. */
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
  /** Who sent it, as the broker has checked it. Undefined: the message does not say. */
  readonly sender: string | undefined;
  /** Set if it was delivered before. It is recorded with this value before anything of it is read. */
  readonly fingerprint: string | undefined;
  /**
   * `pipelined`: it creates operations, whose order intake keeps. `alone`: another event, which begins when earlier
   * messages have ended. `unordered`: another request, which begins at once.
   */
  readonly turn: 'pipelined' | 'alone' | 'unordered';
  /** Reads a large message in steps, before it takes its place. Absent in a small or redelivered one. Never rejects. */
  read?(): Promise<void>;
  /** Never rejects. */
  execute(place: PipelinePlace): Promise<LineOutcome>;
  /** Answers instead of waiting. Absent in an event. */
  refuse?(refusal: IServiceError): void;
  /** Processes have ended while they executed it. Resolves when it will not come again. */
  giveUp(): Promise<void>;
}

interface Entry {
  message: LineMessage;
  /** In the order of delivery. */
  position: number;
  /** When it was delivered, by `performance.now()`. */
  since: number;
  suspect: boolean;
}

/** Suspects of a line that are under way, and nothing else of any line. */
interface Apart {
  fingerprints: readonly string[];
  leave: Leave;
}

/** What the lines of a channel share. The suspects are those of all channels of the process. */
export interface LineSurroundings {
  suspects: Suspects;
  gate: ExecutionGate;
  /** When aborted, nothing more is begun. */
  ending: AbortSignal;
}

/**
 * The messages of one sender, in the order of their delivery. It promises that events, and requests that create
 * operations, take effect in that order. Messages are begun one after another, and their ends are not awaited. If an
 * event meets a temporary fault, it and all later events wait until it succeeds. Requests are answered with the fault
 * at once. A message that was delivered before is begun apart from all lines (see `Suspects`).
 */
export class MessageLine {
  private readonly logger = new Logger('RPC');
  /** Not begun, or to be begun again. */
  private readonly waiting: Entry[] = [];
  private positions = 0;
  private underWay = 0;
  private pipeline = new SubmissionPipeline();
  /** Why events wait, and since when. */
  private held: { by: IServiceError; since: number; retryAt: number } | undefined;
  private apart: Apart | undefined;
  private notify: () => void = () => undefined;
  /** While there are messages. */
  private running: Promise<void> | undefined;

  constructor(
    private readonly sender: string | undefined,
    private readonly shared: LineSurroundings,
    private readonly onEmpty: () => void,
  ) {}

  /** How many messages wait for their turn. */
  get length(): number {
    return this.waiting.length;
  }

  /** Whether the next message has nothing here to wait for. */
  get isEmpty(): boolean {
    return this.waiting.length === 0 && this.underWay === 0 && this.held === undefined && this.apart === undefined;
  }

  add(message: LineMessage): void {
    const suspect = message.fingerprint !== undefined;
    if (!suspect && message.turn === 'unordered' && !this.keepsApart()) return this.executeBeside(message);
    this.positions += 1;
    this.waiting.push({ message, position: this.positions, since: performance.now(), suspect });
    if (this.held !== undefined) this.answerRequests(this.held.by);
    this.goOn();
  }

  /** To be called when nothing more is begun. Resolves when what was begun has ended. Repeatable. */
  async end(): Promise<void> {
    this.notify();
    await this.running;
  }

  private goOn(): void {
    this.notify();
    this.running ??= this.run();
  }

  private async run(): Promise<void> {
    while (!this.shared.ending.aborted && !this.isEmpty) await this.takeStep();
    while (this.underWay > 0) await this.change();
    if (this.apart !== undefined) await this.concludeSuspects(this.apart);
    this.running = undefined;
    this.onEmpty();
  }

  /** Waits for something, or begins something. After that everything may have changed. */
  private async takeStep(): Promise<void> {
    const [head] = this.waiting;
    if (head !== undefined && this.mayBegin(head))
      return head.suspect ? this.beginSuspects(head) : this.beginNext(head);
    if (this.underWay > 0) return this.change();
    // Before any pause: if the process ends during a pause, no suspect has ended it.
    if (this.apart !== undefined && !isRecorded(head)) return this.concludeSuspects(this.apart);
    if (this.isPausing()) return this.pause(this.held!.retryAt);
    this.release();
  }

  /** Whether this is the next message, and nothing has to be awaited or concluded before. */
  private mayBegin(entry: Entry): boolean {
    if (this.shared.ending.aborted || this.waiting[0] !== entry || this.isPausing()) return false;
    if (this.apart !== undefined && !isRecorded(entry)) return false;
    return this.underWay === 0 || !this.needsQuiet(entry);
  }

  private isPausing(): boolean {
    return this.held !== undefined && this.held.retryAt > performance.now();
  }

  private needsQuiet({ suspect, message }: Entry): boolean {
    return this.held !== undefined || this.pipeline.aborted || suspect || message.turn === 'alone';
  }

  private async beginNext(entry: Entry): Promise<void> {
    if (this.apart !== undefined) return this.begin(entry, () => undefined);
    const leave = await new Promise<Leave>((resolve) => this.shared.gate.enter(resolve));
    // An event may have met a fault meanwhile.
    if (this.mayBegin(entry)) return this.begin(entry, leave);
    leave();
  }

  private async begin(entry: Entry, leave: Leave): Promise<void> {
    this.waiting.shift();
    // Nothing of the old pipeline is under way.
    if (this.pipeline.aborted) this.pipeline = new SubmissionPipeline();
    const { message } = entry;
    const isEvent = message.refuse === undefined;
    if (this.held !== undefined || message.turn === 'alone') {
      const fault = await this.execute(entry, leave, this.pipeline.place({ retried: isEvent }));
      if (fault === undefined) this.release();
      return;
    }
    if (message.turn === 'unordered') {
      void this.execute(entry, leave, this.pipeline.place({ retried: false }));
      return;
    }
    await new Promise<void>((resolve) => {
      const place = this.pipeline.place({ retried: isEvent, onSubmitted: resolve });
      void this.execute(entry, leave, place).then(() => resolve());
    });
  }

  /** @returns the fault that it met */
  private async execute(entry: Entry, leave: Leave, place: PipelinePlace): Promise<IServiceError | undefined> {
    this.underWay += 1;
    const { fault, again } = await entry.message.execute(place);
    this.underWay -= 1;
    leave();
    if (again === true) {
      // It has ended normally, so this attempt does not count. The next one is recorded again.
      entry.suspect = entry.message.fingerprint !== undefined;
      this.putBack(entry);
    }
    if (fault !== undefined) this.hold(fault);
    // Room may be free when messages that were begun before the fault have ended, so the next attempt need not wait.
    else if (this.held !== undefined) this.held.retryAt = 0;
    this.goOn();
    return fault;
  }

  private executeBeside(message: LineMessage): void {
    this.shared.gate.enter((leave) => {
      if (this.shared.ending.aborted) return leave();
      void message.execute(new SubmissionPipeline().place({ retried: false })).then(leave);
    });
  }

  private putBack(entry: Entry): void {
    const behind = this.waiting.findIndex(({ position }) => position > entry.position);
    this.waiting.splice(behind === -1 ? this.waiting.length : behind, 0, entry);
  }

  private hold(by: IServiceError): void {
    const now = performance.now();
    if (this.held === undefined) {
      this.logger.warn({ msg: `Events ${this.origin} wait, in their order: ${by.code}`, code: by.code, ...this.label });
    }
    this.held = { by, since: this.held?.since ?? now, retryAt: now + RETRY_EVERY_MS };
    this.answerRequests(by);
  }

  private release(): void {
    if (this.held === undefined) return;
    const seconds = Math.round((performance.now() - this.held.since) / 1000);
    this.held = undefined;
    const waiting = this.waiting.length;
    this.logger.log({ msg: `Events ${this.origin} go on after ${seconds} s`, waiting, ...this.label });
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

  private async beginSuspects(first: Entry): Promise<void> {
    const leave = await new Promise<Leave>((resolve) => this.shared.gate.enterAlone(resolve));
    const fingerprints = this.mayBegin(first) ? await this.recordSuspects() : [];
    if (fingerprints.length === 0) return leave();
    this.apart = { fingerprints, leave };
  }

  /** @returns those that may be begun now */
  private async recordSuspects(): Promise<readonly string[]> {
    const behind = this.waiting.findIndex(({ suspect }) => !suspect);
    const entries = this.waiting.slice(0, behind === -1 ? undefined : behind);
    const fingerprints = entries.map(({ message }) => message.fingerprint!);
    try {
      const count = await this.shared.suspects.choose(fingerprints, entries[0]!.since);
      if (this.shared.ending.aborted) return [];
      if (count > 0) {
        const chosen = fingerprints.slice(0, count);
        await this.shared.suspects.begin(chosen);
        for (const entry of entries.slice(0, count)) entry.suspect = false;
        return chosen;
      }
    } catch (error) {
      const reason = (error as Error).message;
      this.logger.warn({ msg: `Redelivered messages ${this.origin} wait: ${reason}`, ...this.label });
      this.hold(databaseAway());
      return [];
    }
    const at = this.waiting.indexOf(entries[0]!);
    // It was answered meanwhile.
    if (at === -1) return [];
    this.waiting.splice(at, 1);
    await entries[0]!.message.giveUp();
    await this.shared.suspects.conclude(fingerprints.slice(0, 1));
    return [];
  }

  private async concludeSuspects({ fingerprints, leave }: Apart): Promise<void> {
    // Suspects that were recorded but not begun have to be recorded again.
    for (const entry of this.waiting) entry.suspect = entry.message.fingerprint !== undefined;
    await this.shared.suspects.conclude(fingerprints);
    this.apart = undefined;
    leave();
  }

  /** Whether something of this line is, or will be, executed apart from everything else. */
  private keepsApart(): boolean {
    return this.held === undefined && (this.apart !== undefined || this.waiting.some(({ suspect }) => suspect));
  }

  private get origin(): string {
    return this.sender === undefined ? 'without user_id' : `of user ${quoteForMessage(this.sender)}`;
  }

  private get label(): { sender?: string } {
    return this.sender === undefined ? {} : { sender: this.sender };
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

/** Whether it is one of the suspects that were begun last. */
function isRecorded(entry: Entry | undefined): boolean {
  return entry !== undefined && !entry.suspect && entry.message.fingerprint !== undefined;
}

function databaseAway(): IServiceError {
  return {
    status: 'error',
    code: 'SERVICE_UNAVAILABLE',
    message: 'The database is out of reach; nothing of this request was begun, send it again',
  };
}

import type { ErrorCode } from '../../src/interfaces/error.js';
import type { ICreateBatchOperationRequest } from '../../src/interfaces/operation.js';
import type { IOperationsSettledEvent } from '../../src/interfaces/settled-event.js';

export type Verdict = 'completed' | ErrorCode;

/** An operation as its stream wants it, and what has to become of it. */
export interface PlannedOperation {
  request: Omit<ICreateBatchOperationRequest, 'id' | 'source'>;
  expected: Verdict;
}

export type IdentifiedRequest = ICreateBatchOperationRequest & { id: string; source: string };

/** An operation that was handed over, and what is known of it. Times are those of `Date.now()`. */
export interface LedgerEntry {
  request: IdentifiedRequest;
  expected: Verdict;
  /** Operations that are sent one after the other, `history/rest-1.3`. Undefined if their order does not matter. */
  stream?: string;
  attempts: number;
  acknowledgedAt?: number;
  notified?: ReceivedNotification;
}

export interface ReceivedNotification {
  verdict: Verdict;
  source: string;
  /** Of the message among all messages. */
  position: number;
  /** How often it came. */
  times: number;
}

/** The callers' memory: operations, acknowledgements and notifications. It is in this process, which nothing kills. */
export class Ledger {
  private readonly byId = new Map<string, LedgerEntry>();
  private messages = 0;
  /** Operations in notifications that no caller has sent. */
  readonly strangers = new Set<string>();
  /** Refused operations. There should be none. */
  readonly refusals: { id: string; code: string; message: string }[] = [];
  /** Attempts without an acknowledgement, by what they met. */
  readonly unknowns = new Map<string, number>();

  get entries(): Iterable<LedgerEntry> {
    return this.byId.values();
  }

  get size(): number {
    return this.byId.size;
  }

  get unnotified(): number {
    let count = 0;
    for (const { notified } of this.byId.values()) if (notified === undefined) count += 1;
    return count;
  }

  /** Sources that were notified of an operation which was acknowledged after that time. */
  notifiedSince(at: number): Set<string> {
    const sources = new Set<string>();
    for (const { request, acknowledgedAt, notified } of this.byId.values()) {
      if (notified !== undefined && acknowledgedAt !== undefined && acknowledgedAt > at) sources.add(request.source);
    }
    return sources;
  }

  open(entry: LedgerEntry): void {
    this.byId.set(entry.request.id, entry);
  }

  /** Forgets under which id the operation went out before. */
  rename(entry: LedgerEntry, id: string): void {
    this.byId.delete(entry.request.id);
    entry.request = { ...entry.request, id };
    this.open(entry);
  }

  missed(reason: string): void {
    this.unknowns.set(reason, (this.unknowns.get(reason) ?? 0) + 1);
  }

  notify({ source, completed, failed }: IOperationsSettledEvent): void {
    this.messages += 1;
    for (const id of completed) this.note(id, source, 'completed');
    for (const { id, code } of failed) this.note(id, source, code);
  }

  private note(id: string, source: string, verdict: Verdict): void {
    const entry = this.byId.get(id);
    if (entry === undefined) return void this.strangers.add(id);
    // The first message tells the order; a repeated one must not say anything else.
    if (entry.notified === undefined) entry.notified = { verdict, source, position: this.messages, times: 1 };
    else entry.notified = { ...entry.notified, verdict, times: entry.notified.times + 1 };
  }
}

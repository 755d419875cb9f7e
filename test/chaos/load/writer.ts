import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../support/random.js';
import type { Ledger, LedgerEntry } from '../ledger.js';
import type { Stream } from './streams.js';
import { RefusedError, UnknownAnswerError, type Transport } from './transport.js';

/** `single`: one operation a request. `bulk`: many. `emit`: an event, which is acknowledged by the broker and not by the service. */
export type WriterMode = 'single' | 'bulk' | 'emit';

export interface WriterOptions {
  /** Names the writer, and is the `source` of its operations. */
  source: string;
  mode: WriterMode;
  transport: Transport;
  /** Not `ordered`: its operations have priorities, and may overtake one another. */
  streams: readonly { id: string; ordered: boolean; stream: Stream }[];
  ledger: Ledger;
  random: Random;
  /** Between two requests, on average, in milliseconds. */
  pauseMs: number;
  /** The sabotage `new-ids`: what is sent again gets another id. */
  forgetsIds: boolean;
}

const LARGEST_BULK = 30;
const RESEND_PAUSE_MS = { least: 20, most: 200 };

/**
 * A caller: takes the next operation of one of its streams, gives it an id, and sends it under that id until it is acknowledged.
 * Only then comes the next one. So the order in which the service has to execute them is known: that of acceptance, and for events
 * that of publishing.
 */
export class Writer {
  constructor(private readonly options: WriterOptions) {}

  /** Runs until `stop`; what is under way then is sent until it is acknowledged or `giveUp` says enough. */
  async run(stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const { mode, random, pauseMs } = this.options;
    while (!stop.aborted) {
      const entries = this.nextEntries(mode === 'bulk' ? random.integer(2, LARGEST_BULK) : 1);
      await this.handOver(entries, giveUp);
      await delay(random.integer(0, 2 * pauseMs), undefined, { signal: stop }).catch(() => undefined);
    }
  }

  private nextEntries(count: number): LedgerEntry[] {
    return Array.from({ length: count }, () => {
      const { source, random, streams, ledger } = this.options;
      const { id, ordered, stream } = random.pick(streams);
      const { request, expected } = stream.next().value;
      const identified = { ...request, id: randomUUID(), source };
      const entry: LedgerEntry = { request: identified, expected, attempts: 0, ...(ordered && { stream: id }) };
      ledger.open(entry);
      return entry;
    });
  }

  private async handOver(entries: readonly LedgerEntry[], giveUp: AbortSignal): Promise<void> {
    const { ledger, random, forgetsIds } = this.options;
    for (let attempt = 1; !giveUp.aborted; attempt += 1) {
      if (forgetsIds && attempt > 1) for (const entry of entries) ledger.rename(entry, randomUUID());
      for (const entry of entries) entry.attempts = attempt;
      try {
        await this.send(entries);
        const acknowledgedAt = Date.now();
        for (const entry of entries) entry.acknowledgedAt = acknowledgedAt;
        return;
      } catch (error) {
        if (error instanceof RefusedError) return this.refused(entries, error);
        if (!(error instanceof UnknownAnswerError)) throw error;
        ledger.missed(error.reason);
      }
      const { least, most } = RESEND_PAUSE_MS;
      await delay(random.integer(least, most), undefined, { signal: giveUp }).catch(() => undefined);
    }
  }

  private async send(entries: readonly LedgerEntry[]): Promise<void> {
    const { mode, transport } = this.options;
    const requests = entries.map(({ request }) => request);
    if (mode === 'bulk') return transport.createMany(requests);
    const [request] = requests;
    if (mode === 'single') return transport.create(request!);
    if (transport.emit === undefined) throw new Error(`${transport.name} has no events`);
    await transport.emit(request!);
  }

  private refused(entries: readonly LedgerEntry[], { code, message }: RefusedError): void {
    for (const { request } of entries) this.options.ledger.refusals.push({ id: request.id, code, message });
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import { connect, type Channel, type ChannelModel, type GetMessage } from 'amqplib';
import type { Certificates } from '../tls/certificates.js';
import { clientTls } from '../config/client-tls.js';
import { ownValue } from '../values/own-value.js';
import { ConfirmedSender } from './confirmed-sender.js';
import {
  PARKED_AT_HEADER,
  PARKED_CODE_HEADER,
  PARKED_ID_HEADER,
  PARKED_REASON_HEADER,
  toReplayed,
} from './parked-message.js';
import { userOf } from './sender-of.js';
import { parkedQueue } from './topology.js';

/** A message that waits for a person's decision. */
export interface ParkedMessage {
  /** Created when it was parked. */
  id: string;
  /** The sender's id, if it has one. */
  messageId?: string;
  code: string;
  reason: string;
  /** ISO 8601 in UTC. */
  parkedAt: string;
  body: Buffer;
}

export interface ParkedSelection {
  /** The id of the message, or the id that it got when it was parked. Default: every message. */
  id?: string;
  /** The id that it got when it was parked. No other message has it, whatever its sender wrote. */
  parkedId?: string;
  /** The maximum number of messages. Default: no limit. */
  limit?: number;
  /** Ends the work after the messages in progress. */
  signal?: AbortSignal;
  /** Called with the messages before anything is done with them. If it rejects, nothing is done. */
  record?: (messages: readonly ParkedMessage[]) => Promise<void>;
}

/** Where a look at the queue ends. */
export interface LookLimits {
  messages: number;
  /** Of all bodies. The message that reaches it is the last one. */
  bytes: number;
  signal: AbortSignal;
}

/** Confirms and acknowledgements are awaited for this many messages together. */
const BATCH = 200;
/** Bodies may be megabytes. A process that serves requests keeps no more of them at a time. */
const SMALL_BATCH = 16;

/** How long to wait until messages that were only read are back in the queue. Usually it takes a few milliseconds. */
const RETURN_TIMEOUT_MS = 2000;
const RETURN_POLL_MS = 5;

/**
 * Lists the parked messages of a queue, sends them again, or deletes them. It promises that a message leaves the queue
 * of parked messages only when the broker has it in its own queue again. If the process dies in between, it is in both
 * queues, and may be sent twice.
 */
export class ParkedMessages {
  private constructor(
    private readonly model: ChannelModel,
    private readonly queue: string,
    private readonly user: string,
  ) {}

  static async open(url: string, queue: string, certificates?: Certificates): Promise<ParkedMessages> {
    const model = await connect(url, {
      ...clientTls(certificates),
      clientProperties: { connection_name: 'batch-service parked-messages' },
    });
    // The calls report every failure.
    model.on('error', () => undefined);
    return new ParkedMessages(model, queue, userOf(url));
  }

  /** The oldest `limit`, and the total number. The messages stay where they are. */
  async list(limit: number): Promise<{ total: number; messages: ParkedMessage[] }> {
    const messages: ParkedMessage[] = [];
    const total = await this.walk({ limit }, async (batch) => {
      messages.push(...batch.map(describe));
      return 'keep';
    });
    return { total, messages };
  }

  async count(): Promise<number> {
    const channel = await this.model.createChannel();
    channel.on('error', () => undefined);
    const { messageCount } = await channel.checkQueue(parkedQueue(this.queue));
    await channel.close();
    return messageCount;
  }

  /**
   * Shows the first messages of the queue. They stay in it. Each is passed to `show` at once, so no more than a few
   * bodies are in memory. The broker may change the order of messages that were only looked at.
   */
  async look<Shown>(
    { messages, bytes, signal }: LookLimits,
    show: (message: ParkedMessage) => Shown,
  ): Promise<Shown[]> {
    const full = new AbortController();
    const shown: Shown[] = [];
    let size = 0;
    const selection = { limit: messages, signal: AbortSignal.any([full.signal, signal]), batch: SMALL_BATCH };
    await this.walk(selection, (batch) => {
      shown.push(...batch.map((message) => show(describe(message))));
      size += batch.reduce((sum, { content }) => sum + content.length, 0);
      if (size >= bytes) full.abort();
      return Promise.resolve('keep');
    });
    return shown;
  }

  /** Sends messages back into their queue as they were sent first, oldest first. `onMoved` is called for each. */
  async replay(selection: ParkedSelection, onMoved: (message: ParkedMessage) => void): Promise<void> {
    const sender = await ConfirmedSender.open(this.model, this.queue);
    await this.walk(selection, async (batch) => {
      await selection.record?.(batch.map(describe));
      await Promise.all(
        batch.map(({ content, properties }) => sender.send(content, toReplayed(properties, this.user))),
      );
      for (const message of batch) onMoved(describe(message));
      return 'remove';
    });
    await sender.close();
  }

  async discard(selection: ParkedSelection, onDiscarded: (message: ParkedMessage) => void): Promise<void> {
    await this.walk(selection, async (batch) => {
      await selection.record?.(batch.map(describe));
      for (const message of batch) onDiscarded(describe(message));
      return 'remove';
    });
  }

  async close(): Promise<void> {
    await this.model.close();
  }

  /**
   * Passes the messages that were parked at the beginning to `work`, in batches. Returns their number. A message that
   * is not removed returns to its place when the channel is closed, also when the process dies.
   */
  private async walk(
    { id, parkedId, limit = Infinity, signal, batch = BATCH }: ParkedSelection & { batch?: number },
    work: (batch: GetMessage[]) => Promise<'keep' | 'remove'>,
  ): Promise<number> {
    const channel = await this.model.createChannel();
    channel.on('error', () => undefined);
    const { messageCount } = await channel.checkQueue(parkedQueue(this.queue));
    let seen = 0;
    let done = 0;
    let removed = 0;
    while (seen < messageCount && done < limit && signal?.aborted !== true) {
      const wanted = id === undefined && parkedId === undefined ? limit - done : batch;
      const taken = await this.take(
        channel,
        Math.min(parkedId === undefined ? batch : SMALL_BATCH, messageCount - seen, wanted),
      );
      if (taken.length === 0) break;
      seen += taken.length;
      const chosen = taken.filter((message) => isChosen(message, { id, parkedId })).slice(0, limit - done);
      done += chosen.length;
      if (chosen.length === 0 || (await work(chosen)) === 'keep') continue;
      for (const message of chosen) channel.ack(message);
      removed += chosen.length;
    }
    // When the broker has closed the channel, it has all acknowledgements.
    await channel.close();
    if (removed < seen) await this.untilReturned(messageCount - removed);
    return messageCount;
  }

  /** A quorum queue takes messages back a moment after the channel is closed. The next reader must find them. */
  private async untilReturned(expected: number): Promise<void> {
    const channel = await this.model.createChannel();
    channel.on('error', () => undefined);
    const deadline = performance.now() + RETURN_TIMEOUT_MS;
    while ((await channel.checkQueue(parkedQueue(this.queue))).messageCount < expected) {
      // Somebody else may have removed some.
      if (performance.now() >= deadline) break;
      await delay(RETURN_POLL_MS);
    }
    await channel.close();
  }

  private async take(channel: Channel, count: number): Promise<GetMessage[]> {
    const gets = Array.from({ length: count }, () => channel.get(parkedQueue(this.queue)));
    return (await Promise.all(gets)).filter((message) => message !== false);
  }
}

function isChosen(
  { properties }: GetMessage,
  { id, parkedId }: { id: string | undefined; parkedId: string | undefined },
): boolean {
  const ownId: unknown = ownValue(properties.headers ?? {}, PARKED_ID_HEADER);
  if (parkedId !== undefined) return ownId === parkedId;
  return id === undefined || properties.messageId === id || ownId === id;
}

function describe({ content, properties }: GetMessage): ParkedMessage {
  const { messageId } = properties as { messageId?: string };
  const header = (name: string): string => String(ownValue(properties.headers ?? {}, name) ?? '');
  return {
    id: header(PARKED_ID_HEADER),
    ...(messageId !== undefined && { messageId }),
    code: header(PARKED_CODE_HEADER),
    reason: header(PARKED_REASON_HEADER),
    parkedAt: header(PARKED_AT_HEADER),
    body: content,
  };
}

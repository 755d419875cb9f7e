import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { ClientTCP, RmqRecord } from '@nestjs/microservices';
import { NEVER, type Observable, type Unsubscribable } from 'rxjs';
import type { IServiceError } from '../interfaces/error.js';
import {
  BatchServiceError,
  BatchServiceRefusalError,
  BatchServiceTimeoutError,
  BatchServiceUnavailableError,
} from './client-errors.js';
import type { ResolvedConnection } from './client-options.js';
import { MandatoryClientRmq } from './mandatory-client-rmq.js';
import { ReadingSocket } from './reading-socket.js';

/** What a message is told on its way. */
interface Envelope {
  messageId: string;
  /** After this time it is not sent any more. */
  timeoutMs: number;
  /** Somebody waits for its answer, for so long; it is of no use later. */
  awaited: boolean;
}

/** A Nest transport and what RabbitMQ adds to it. */
interface Wire {
  proxy: ClientTCP | MandatoryClientRmq;
  /** The data as the transport takes it. */
  wrap(data: object, envelope: Envelope): unknown;
  /** Ids of messages that reached no queue. */
  returned$: Observable<string>;
}

/** Made once: whoever answers completes, and the stack of an error costs as much as all else in a call. */
const EMPTY_ANSWER = new Error('the answer has no value');

/** A call that has no answer yet. */
interface Call {
  fail: (error: BatchServiceError) => void;
  /** What the transport does with it is over when the connection is lost. */
  sent: boolean;
}

/**
 * The way to the service: connects with the first request, comes back by itself when the connection was lost. It promises
 * that every request ends, with its answer or a `BatchServiceError`, within its time. Whether to try again is the
 * caller's business.
 */
export class ServiceConnection {
  private readonly address: string;
  private readonly wire: Wire;
  private readonly closing = new AbortController();
  /** By the ids of their messages. */
  private readonly calls = new Map<string, Call>();
  private lost = false;

  constructor(connection: ResolvedConnection) {
    this.address = connection.address;
    this.wire = openWire(connection);
    // One for each call that is to be repeated.
    setMaxListeners(0, this.closed);
    // Nest's client leaves what was sent pending.
    (this.wire.proxy.status as Observable<string>).subscribe((status) => {
      this.lost = status === 'disconnected';
      if (this.lost) for (const call of this.calls.values()) if (call.sent) call.fail(this.lostError());
    });
    this.wire.returned$.subscribe((messageId) => this.calls.get(messageId)?.fail(this.notRoutedError()));
  }

  /** Aborted when the connection is closed for good. */
  get closed(): AbortSignal {
    return this.closing.signal;
  }

  /** Sends a request and waits for its answer. */
  request<Answer>(pattern: string, data: object, timeoutMs: number): Promise<Answer> {
    const envelope = { messageId: randomUUID(), timeoutMs, awaited: true };
    return this.exchange(pattern, data, envelope, (message) => this.wire.proxy.send<Answer>(pattern, message));
  }

  /** Sends an event; with RabbitMQ, resolves when the broker has confirmed that it is in the queue. */
  async emit(pattern: string, data: object, timeoutMs: number): Promise<void> {
    const envelope = { messageId: randomUUID(), timeoutMs, awaited: false };
    await this.exchange(pattern, data, envelope, (message) => this.wire.proxy.emit<unknown>(pattern, message));
  }

  async close(): Promise<void> {
    this.closing.abort();
    for (const { fail } of this.calls.values()) fail(this.closedError());
    // A connection that is just being lost cannot be closed; there is nothing left to end then.
    await Promise.resolve(this.wire.proxy.close()).catch(() => undefined);
  }

  private async exchange<T>(
    pattern: string,
    data: object,
    envelope: Envelope,
    send: (message: unknown) => Observable<T>,
  ): Promise<T> {
    if (this.closed.aborted) throw this.closedError();
    const { messageId, timeoutMs } = envelope;
    let sending: Unsubscribable | undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        timer = setTimeout(() => reject(this.timeoutError(pattern, timeoutMs)), timeoutMs);
        const call: Call = { fail: reject, sent: false };
        this.calls.set(messageId, call);
        const begin = (): void => {
          // It has failed meanwhile.
          if (this.calls.get(messageId) !== call) return;
          if (this.lost) return reject(this.lostError());
          call.sent = true;
          sending = send(this.wire.wrap(data, envelope)).subscribe({
            next: resolve,
            error: reject,
            // After an answer this is too late to change anything.
            complete: () => reject(EMPTY_ANSWER),
          });
        };
        this.wire.proxy.connect().then(begin).catch(reject);
      });
    } catch (error) {
      throw this.translate(error);
    } finally {
      clearTimeout(timer);
      this.calls.delete(messageId);
      sending?.unsubscribe();
    }
  }

  private timeoutError(pattern: string, timeoutMs: number): BatchServiceTimeoutError {
    return new BatchServiceTimeoutError(
      'TIMEOUT',
      `No answer to ${pattern} from ${this.address} within ${timeoutMs} ms: is a service with role api or all ` +
        'running there? The request may still take effect',
      { pattern, timeoutMs },
    );
  }

  private lostError(): BatchServiceUnavailableError {
    return new BatchServiceUnavailableError(
      'UNAVAILABLE',
      `The connection to ${this.address} was lost during the call`,
    );
  }

  private notRoutedError(): BatchServiceUnavailableError {
    return new BatchServiceUnavailableError(
      'QUEUE_NOT_FOUND',
      `There is no ${this.address}: start the service, which declares its queue, or correct the client's queue ` +
        'or virtual host (BATCH_SERVICE_RMQ_QUEUE and BATCH_SERVICE_RMQ_URL of the service)',
    );
  }

  private closedError(): BatchServiceUnavailableError {
    return new BatchServiceUnavailableError('CLIENT_CLOSED', 'The client is closed; its application is shutting down');
  }

  private translate(error: unknown): BatchServiceError {
    if (error instanceof BatchServiceError) return error;
    const refusal = asRefusal(error, this.address);
    if (refusal) return BatchServiceRefusalError.of(refusal, { cause: error });
    return new BatchServiceUnavailableError(
      'UNAVAILABLE',
      `${this.address} cannot be reached: ${describe(error)}`,
      undefined,
      { cause: error },
    );
  }
}

function openWire({ wire }: ResolvedConnection): Wire {
  if (wire.transport === 'tcp') {
    const { host, port, apiKey } = wire;
    const serializer = { serialize: (packet: object) => ({ ...packet, apiKey }) };
    const proxy = new ClientTCP({ host, port, serializer, socketClass: ReadingSocket });
    return { proxy, wrap: (data) => data, returned$: NEVER };
  }
  const proxy = new MandatoryClientRmq({
    urls: wire.urls,
    queue: wire.queue,
    // The service declares its queue with arguments of its own; asserting it with others would close the channel.
    noAssert: true,
    persistent: true,
    socketOptions: wire.socketOptions,
  });
  return {
    proxy,
    wrap(data, { messageId, timeoutMs, awaited }) {
      // The connection manager keeps what it could not send, and sends it after the reconnect. `timeout` is its own
      // option: after that time nobody waits for the message any more.
      const sender = wire.userId === undefined ? {} : { userId: wire.userId };
      const options = { mandatory: true, persistent: true, messageId, timeout: timeoutMs, ...sender };
      // The broker drops what nobody waits for any more, so that a service that comes back is not busy with the past.
      return new RmqRecord(data, awaited ? { ...options, expiration: expirationOf(timeoutMs) } : options);
    },
    returned$: proxy.returned$,
  };
}

/** RabbitMQ closes the channel for an expiration that is no whole number of milliseconds within 32 bits. */
const LONGEST_EXPIRATION_MS = 2 ** 31 - 1;

function expirationOf(timeoutMs: number): string {
  return String(Math.min(LONGEST_EXPIRATION_MS, Math.max(1, Math.ceil(timeoutMs))));
}

/** What came back in the `err` of an answer; undefined when it is none, but an error of the transport. */
function asRefusal(error: unknown, address: string): IServiceError | undefined {
  if (typeof error === 'string' && error.startsWith('There is no matching message handler')) {
    return {
      status: 'error',
      code: 'UNKNOWN_PATTERN',
      message: `What answers at ${address} is not the Batch Service, or an older version of it`,
    };
  }
  if (typeof error !== 'object' || error === null || !('status' in error) || error.status !== 'error') return undefined;
  return { code: 'INTERNAL_ERROR', message: 'Internal error of the service', ...error } as IServiceError;
}

/** The transport fails with errors, with strings, and with `{ err, url }`. */
function describe(error: unknown): string {
  const inner = typeof error === 'object' && error !== null && 'err' in error ? error.err : error;
  if (inner instanceof AggregateError) return inner.errors.map(String).join('; ');
  return inner instanceof Error ? inner.message : String(inner);
}

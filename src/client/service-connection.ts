import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
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
import { traceRequest, type TraceHeaders } from './trace-request.js';

/** How a message is to be sent. */
interface Envelope {
  messageId: string;
  /** After this time it is no longer sent. */
  timeoutMs: number;
  /** True when somebody waits for its answer for this time. Later the answer is useless. */
  awaited: boolean;
  headers: TraceHeaders;
}

/** A Nest transport, and what RabbitMQ adds to it. */
interface Wire {
  proxy: ClientTCP | MandatoryClientRmq;
  /** The data, which is given as JSON, in the form that the transport takes. */
  wrap(json: string, envelope: Envelope): unknown;
  /** The queue of the service. Undefined where messages have no headers, so that no trace can be passed on. */
  queue: string | undefined;
  /** Ids of messages that reached no queue. */
  returned$: Observable<string>;
}

/** Created once: every answer completes, and creating a stack trace costs as much as the rest of a call. */
const EMPTY_ANSWER = new Error('the answer has no value');

/** A call that has no answer yet. */
interface Call {
  fail: (error: BatchServiceError) => void;
  /** True when the transport has sent it, so that it fails if the connection is lost. */
  sent: boolean;
}

/**
 * The connection to the service. It connects with the first request, and reconnects by itself. It promises that every
 * request ends within its time, with its answer or a `BatchServiceError`. The caller decides whether to try again.
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
    // Each call that is to be repeated adds a listener.
    setMaxListeners(0, this.closed);
    // Nest's client leaves sent requests pending when the connection is lost.
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

  /**
   * Sends a request and waits for its answer.
   *
   * @param json the data
   */
  request<Answer>(pattern: string, json: string, timeoutMs: number): Promise<Answer> {
    return this.exchange(pattern, json, timeoutMs, true);
  }

  /** Sends an event. With RabbitMQ, resolves when the broker has confirmed that it is in the queue. */
  emit(pattern: string, json: string, timeoutMs: number): Promise<void> {
    return this.exchange(pattern, json, timeoutMs, false);
  }

  async close(): Promise<void> {
    this.closing.abort();
    for (const { fail } of this.calls.values()) fail(this.closedError());
    // A connection that is just being lost cannot be closed. Then there is nothing left to end.
    await Promise.resolve(this.wire.proxy.close()).catch(() => undefined);
  }

  private exchange<T>(pattern: string, json: string, timeoutMs: number, awaited: boolean): Promise<T> {
    const { queue } = this.wire;
    const messageId = randomUUID();
    const send = (headers: TraceHeaders): Promise<T> =>
      this.send(pattern, json, { messageId, timeoutMs, awaited, headers });
    return queue === undefined ? send({}) : traceRequest({ queue, pattern, messageId }, send);
  }

  private async send<T>(pattern: string, json: string, envelope: Envelope): Promise<T> {
    if (this.closed.aborted) throw this.closedError();
    const { proxy } = this.wire;
    const { messageId, timeoutMs, awaited } = envelope;
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
          const message = this.wire.wrap(json, envelope);
          sending = (awaited ? proxy.send<T>(pattern, message) : proxy.emit<T>(pattern, message)).subscribe({
            next: resolve,
            error: reject,
            // After an answer this has no effect.
            complete: () => reject(EMPTY_ANSWER),
          });
        };
        proxy.connect().then(begin).catch(reject);
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
      `No answer to ${pattern} from ${this.address} within ${timeoutMs} ms: does a service with role api or all ` +
        'run there? The request may still take effect',
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
    const proxy = new ClientTCP({ host, port, serializer });
    // Otherwise a request would wait for the acknowledgement of the previous one: up to 40 ms.
    proxy.on('connect', () => {
      // If the connection was closed meanwhile, there is no socket.
      const { socket } = proxy as unknown as { socket: { netSocket: Socket } | null };
      socket?.netSocket.setNoDelay(true);
    });
    return { proxy, wrap: (json) => JSON.parse(json) as unknown, queue: undefined, returned$: NEVER };
  }
  const proxy = new MandatoryClientRmq({
    urls: wire.urls,
    queue: wire.queue,
    // The service declares its queue with its own arguments. Declaring it with others would close the channel.
    noAssert: true,
    persistent: true,
    socketOptions: wire.socketOptions,
  });
  return {
    proxy,
    queue: wire.queue,
    wrap(json, { messageId, timeoutMs, awaited, headers }) {
      // The connection manager keeps what it could not send, and sends it after the reconnect. `timeout` is its own
      // option: after that time nobody waits for the message any more.
      const sender = wire.userId === undefined ? {} : { userId: wire.userId };
      const options = { mandatory: true, messageId, timeout: timeoutMs, written: json, headers, ...sender };
      // The broker drops requests that nobody waits for, so they do not burden a service that comes back.
      return new RmqRecord(undefined, awaited ? { ...options, expiration: expirationOf(timeoutMs) } : options);
    },
    returned$: proxy.returned$,
  };
}

/** RabbitMQ closes the channel for an expiration that is not a whole number of milliseconds within 32 bits. */
const LONGEST_EXPIRATION_MS = 2 ** 31 - 1;

function expirationOf(timeoutMs: number): string {
  return String(Math.min(LONGEST_EXPIRATION_MS, Math.max(1, Math.ceil(timeoutMs))));
}

/** The refusal in the `err` of an answer. Undefined when the error comes from the transport. */
function asRefusal(error: unknown, address: string): IServiceError | undefined {
  if (typeof error === 'string' && error.startsWith('There is no matching message handler')) {
    return {
      status: 'error',
      code: 'UNKNOWN_PATTERN',
      message: `The program that answers at ${address} is not the Batch Service, or is an older version of it`,
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

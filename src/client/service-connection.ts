import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { ClientTCP, RmqRecord } from '@nestjs/microservices';
import {
  defer,
  filter,
  firstValueFrom,
  fromEvent,
  map,
  merge,
  mergeMap,
  NEVER,
  timeout,
  TimeoutError,
  type Observable,
  type OperatorFunction,
} from 'rxjs';
import type { IServiceError } from '../interfaces/error.js';
import {
  BatchServiceError,
  BatchServiceRefusalError,
  BatchServiceTimeoutError,
  BatchServiceUnavailableError,
} from './client-errors.js';
import type { ResolvedConnection } from './client-options.js';
import { MandatoryClientRmq } from './mandatory-client-rmq.js';

/** A Nest transport and what RabbitMQ adds to it. */
interface Wire {
  proxy: ClientTCP | MandatoryClientRmq;
  /** The data as the transport takes it. */
  wrap(data: object, messageId: string, timeoutMs: number): unknown;
  /** Ids of messages that reached no queue. */
  returned$: Observable<string>;
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

  constructor(connection: ResolvedConnection) {
    this.address = connection.address;
    this.wire = openWire(connection);
    // One for each call under way.
    setMaxListeners(0, this.closed);
  }

  /** Aborted when the connection is closed for good. */
  get closed(): AbortSignal {
    return this.closing.signal;
  }

  /** Sends a request and waits for its answer. */
  request<Answer>(pattern: string, data: object, timeoutMs: number): Promise<Answer> {
    return this.exchange(pattern, data, timeoutMs, (message) => this.wire.proxy.send<Answer>(pattern, message));
  }

  /** Sends an event; with RabbitMQ, resolves when the broker has confirmed that it is in the queue. */
  async emit(pattern: string, data: object, timeoutMs: number): Promise<void> {
    await this.exchange(pattern, data, timeoutMs, (message) => this.wire.proxy.emit<unknown>(pattern, message));
  }

  async close(): Promise<void> {
    this.closing.abort();
    // A connection that is just being lost cannot be closed; there is nothing left to end then.
    await Promise.resolve(this.wire.proxy.close()).catch(() => undefined);
  }

  private async exchange<T>(
    pattern: string,
    data: object,
    timeoutMs: number,
    send: (message: unknown) => Observable<T>,
  ): Promise<T> {
    if (this.closed.aborted) throw this.closedError();
    const messageId = randomUUID();
    const answer$ = defer(() => this.wire.proxy.connect()).pipe(
      mergeMap(() => merge(send(this.wire.wrap(data, messageId, timeoutMs)), this.lost$())),
    );
    const outcome$ = merge(answer$, this.returned$(messageId), this.closed$()).pipe(timeout(timeoutMs));
    try {
      return await firstValueFrom(outcome$);
    } catch (error) {
      throw this.translate(error, pattern, timeoutMs);
    }
  }

  /** Fails as soon as the connection is lost: Nest's client would stay pending. Subscribe once connected. */
  private lost$(): Observable<never> {
    const status$: Observable<string> = this.wire.proxy.status;
    return status$.pipe(
      filter((status) => status === 'disconnected'),
      fail(
        () =>
          new BatchServiceUnavailableError('UNAVAILABLE', `The connection to ${this.address} was lost during the call`),
      ),
    );
  }

  private returned$(messageId: string): Observable<never> {
    return this.wire.returned$.pipe(
      filter((returned) => returned === messageId),
      fail(
        () =>
          new BatchServiceUnavailableError(
            'QUEUE_NOT_FOUND',
            `There is no ${this.address}: start the service, which declares its queue, or correct the client's queue ` +
              'or virtual host (BATCH_SERVICE_RMQ_QUEUE and BATCH_SERVICE_RMQ_URL of the service)',
          ),
      ),
    );
  }

  private closed$(): Observable<never> {
    return fromEvent(this.closed, 'abort').pipe(fail(() => this.closedError()));
  }

  private closedError(): BatchServiceUnavailableError {
    return new BatchServiceUnavailableError('CLIENT_CLOSED', 'The client is closed; its application is shutting down');
  }

  private translate(error: unknown, pattern: string, timeoutMs: number): BatchServiceError {
    if (error instanceof BatchServiceError) return error;
    if (error instanceof TimeoutError) {
      return new BatchServiceTimeoutError(
        'TIMEOUT',
        `No answer to ${pattern} from ${this.address} within ${timeoutMs} ms: is a service with role api or all ` +
          'running there? The request may still take effect',
        { pattern, timeoutMs },
      );
    }
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
    return { proxy: new ClientTCP({ host: wire.host, port: wire.port }), wrap: (data) => data, returned$: NEVER };
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
    wrap(data, messageId, timeoutMs) {
      // The connection manager keeps what it could not send, and sends it after the reconnect. `timeout` is its own
      // option: after that time nobody waits for the message any more.
      const options = { mandatory: true, persistent: true, messageId, timeout: timeoutMs };
      return new RmqRecord(data, options);
    },
    returned$: proxy.returned$,
  };
}

/** Fails with the first value. */
function fail(error: () => BatchServiceError): OperatorFunction<unknown, never> {
  return map((): never => {
    throw error();
  });
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

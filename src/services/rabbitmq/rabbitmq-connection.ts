import { Logger } from '@nestjs/common';
import { connect, type ChannelModel, type RecoveringChannelModel } from 'amqplib';
import { TopologyConflictError } from './topology.js';

export interface RabbitmqConnectionOptions {
  url: string;
  /** What the connection is for; shown in the log, in health and in RabbitMQ's management UI. */
  name: string;
  /** Declares and opens what the connection is for. Runs after every connect; a failure is a failed connect. */
  setUp: (model: ChannelModel) => Promise<void>;
  /** Told whenever messages can be sent that could not before: it is connected and set up, or no longer blocked. */
  onUsable?: () => void;
}

/** An attempt costs little, and whoever calls or is to be notified waits for it. */
const RECOVERY = { initialDelay: 100, maxDelay: 2000, factor: 2, jitter: 0.2 };
const CONNECT_TIMEOUT_MS = 10_000;
const HEARTBEAT_SECONDS = 15;

/**
 * A connection to RabbitMQ that comes back by itself, with back-off, and sets up anew what runs on it. It promises that
 * `setUp` has run whenever it is connected, and that nothing the broker does ends the process. What goes through it is left to
 * its user, who calls `restart` when a channel died alone.
 */
export class RabbitmqConnection {
  private readonly logger: Logger;
  private recovering: RecoveringChannelModel | undefined;
  private current: ChannelModel | undefined;
  private blockedReason: string | undefined;

  constructor(private readonly options: RabbitmqConnectionOptions) {
    this.logger = new Logger(`RabbitMQ ${options.name}`);
  }

  get name(): string {
    return this.options.name;
  }

  get connected(): boolean {
    return this.current !== undefined;
  }

  /** Why the broker takes no messages for the moment (memory or disk alarm); undefined when it does. */
  get blocked(): string | undefined {
    return this.blockedReason;
  }

  /**
   * Connects. An unreachable broker is no failure: the service is of use without it, and the connection comes when the broker
   * does.
   *
   * @throws what no waiting cures: a topology conflict, refused credentials, an unknown virtual host.
   */
  async open(): Promise<void> {
    const recovering = await connect(withHeartbeat(this.options.url), {
      timeout: CONNECT_TIMEOUT_MS,
      clientProperties: { connection_name: `batch-service ${this.options.name}` },
      recovery: { ...RECOVERY, waitForConnect: false, setup: (model: ChannelModel) => this.setUp(model) },
    });
    this.recovering = recovering;
    this.watch(recovering);
    await firstAttempt(recovering).catch(async (error: unknown) => {
      await this.close();
      throw error;
    });
  }

  /** Drops the connection, so that everything is set up anew: for a channel that was closed alone. */
  restart(reason: string): void {
    const model = this.current;
    // The end of a connection closes its channels first; a moment later it is known which of the two it was.
    setImmediate(() => {
      if (model === undefined || this.current !== model) return;
      this.logger.warn(`${reason}; connecting anew`);
      model.close().catch(() => undefined);
    });
  }

  async close(): Promise<void> {
    const recovering = this.recovering;
    this.recovering = undefined;
    this.current = undefined;
    await recovering?.close();
  }

  private async setUp(model: ChannelModel): Promise<void> {
    let closed = false;
    model.once('close', () => (closed = true));
    model.on('error', () => undefined);
    await this.options.setUp(model);
    // The library listens for the end of a connection from here on only.
    if (closed) throw new Error('The connection was closed while it was set up');
  }

  private watch(recovering: RecoveringChannelModel): void {
    recovering.on('connect', (model) => {
      this.current = model;
      this.blockedReason = undefined;
      this.logger.log('Connected');
      this.options.onUsable?.();
    });
    recovering.on('disconnect', (error) => {
      this.current = undefined;
      this.logger.warn(`Connection lost: ${error.message}`);
    });
    recovering.on('reconnect-scheduled', ({ attempt, delay, error }) => {
      this.logger.warn(`Not connected (${describe(error)}); attempt ${attempt} in ${delay} ms`);
    });
    recovering.on('blocked', (reason) => {
      this.blockedReason = reason;
      this.logger.warn(`The broker takes no messages: ${reason}`);
    });
    recovering.on('unblocked', () => {
      this.blockedReason = undefined;
      this.options.onUsable?.();
    });
    // What matters of it comes as `disconnect`.
    recovering.on('error', () => undefined);
  }
}

/** RabbitMQ's own 60 s would leave a connection whose network is gone unnoticed for two minutes. */
function withHeartbeat(address: string): string {
  const url = new URL(address);
  if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS));
  return url.href;
}

function firstAttempt(recovering: RecoveringChannelModel): Promise<void> {
  return new Promise((resolve, reject) => {
    recovering.once('connect', () => resolve());
    recovering.once('connect-failed', (error: Error) => (isPermanent(error) ? reject(clarified(error)) : resolve()));
  });
}

/** Refused credentials, and a virtual host that is unknown or closed to this user: configuration, not weather. */
const REFUSED = /ACCESS.REFUSED|NOT.ALLOWED|Expected ConnectionOpenOk; got <ConnectionClose/;

function isPermanent(error: Error): boolean {
  return error instanceof TopologyConflictError || REFUSED.test(error.message);
}

function clarified(error: Error): Error {
  if (error instanceof TopologyConflictError) return error;
  return new Error(
    `RabbitMQ refuses the connection; check user, password and virtual host in BATCH_SERVICE_RMQ_URL: ${error.message}`,
    {
      cause: error,
    },
  );
}

/** Node hides the reason of a refused connection in an AggregateError without a message. */
function describe(error: Error): string {
  return error.message || ('code' in error && String(error.code)) || error.name;
}

import type { Socket } from 'node:net';
import type { ClientConfig } from 'pg';
import { backOffMs, type BackOff } from '../../interfaces/back-off.js';
import { quoteIdentifier } from '../catalog/target-name.js';
import { ServiceClient } from './service-client.js';

const RECONNECT: BackOff = { initialMs: 100, maxMs: 5000, jitter: 0.5 };

const CHECK_EVERY_MS = 30_000;
const ANSWER_TIMEOUT_MS = 5000;

/**
 * Hears the NOTIFY of committed transactions, on its own connection, which it opens again when it breaks. It promises
 * only speed: nothing reports that the connection is broken. `heard` is also called after each connect, because a
 * NOTIFY may have been missed.
 */
export class Listener {
  private client: ServiceClient | undefined;
  private timer: NodeJS.Timeout | undefined;
  private probe: NodeJS.Timeout | undefined;
  private stopped = false;
  private failures = 0;

  constructor(
    private readonly config: ClientConfig,
    private readonly channel: string,
    private readonly heard: () => void,
  ) {
    void this.connect();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    clearInterval(this.probe);
    abandon(this.client);
  }

  private async connect(): Promise<void> {
    const client = new ServiceClient(this.config);
    this.client = client;
    client.on('notification', () => this.heard());
    // `end` follows every error that ends the connection.
    client.on('error', () => undefined);
    client.once('end', () => this.reconnect(client));
    try {
      await client.connect();
      await client.query(`listen ${quoteIdentifier(this.channel)}`);
      this.failures = 0;
      this.heard();
      this.probe = setInterval(() => void this.check(client), CHECK_EVERY_MS);
      this.probe.unref();
    } catch {
      // The poller meets the same fault, and reports it.
      abandon(client);
      this.reconnect(client);
    }
  }

  /** A connection that was dropped silently would be noticed only after hours. */
  private async check(client: ServiceClient): Promise<void> {
    const timer = setTimeout(() => abandon(client), ANSWER_TIMEOUT_MS);
    await client.query('select').catch(() => abandon(client));
    clearTimeout(timer);
  }

  /** Once for each client, because a client may both fail and end. */
  private reconnect(client: ServiceClient): void {
    if (this.stopped || this.client !== client) return;
    this.client = undefined;
    clearInterval(this.probe);
    this.timer = setTimeout(() => void this.connect(), backOffMs(RECONNECT, this.failures));
    this.timer.unref();
    this.failures += 1;
  }
}

/** Cuts the connection: on a dead one, an orderly end would wait for an answer. */
function abandon(client: ServiceClient | undefined): void {
  (client as unknown as { connection?: { stream: Socket } } | undefined)?.connection?.stream.destroy();
}

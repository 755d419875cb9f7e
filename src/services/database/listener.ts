import type { ClientConfig } from 'pg';
import { exponentialBackOff, type BackOff } from '../../batch/retry-policy.js';
import { quoteIdentifier } from '../catalog/target-name.js';
import { ServiceClient } from './service-client.js';

const RECONNECT: BackOff = { initialMs: 100, multiplier: 2, maxMs: 5000, jitter: 0.5 };

/**
 * Hears what transactions tell by NOTIFY when they commit, on a connection of its own that it opens again when it breaks. It promises
 * only speed: `heard` is also called after each connect, because something may have been missed, but nothing tells that the connection
 * is broken.
 */
export class Listener {
  private client: ServiceClient | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private failures = 0;

  constructor(
    private readonly config: ClientConfig,
    private readonly channel: string,
    private readonly heard: () => void,
  ) {
    void this.connect();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.client?.end().catch(() => undefined);
  }

  private async connect(): Promise<void> {
    const client = new ServiceClient(this.config);
    this.client = client;
    client.on('notification', () => this.heard());
    // What ends the connection is followed by `end`.
    client.on('error', () => undefined);
    client.once('end', () => this.reconnect());
    try {
      await client.connect();
      await client.query(`listen ${quoteIdentifier(this.channel)}`);
      this.failures = 0;
      this.heard();
    } catch {
      // The poller meets the same fault, and tells it.
      await client.end().catch(() => undefined);
      this.reconnect();
    }
  }

  private reconnect(): void {
    if (this.stopped || this.timer !== undefined) return;
    this.timer = setTimeout(
      () => {
        this.timer = undefined;
        void this.connect();
      },
      exponentialBackOff(RECONNECT, this.failures),
    );
    this.timer.unref();
    this.failures += 1;
  }
}

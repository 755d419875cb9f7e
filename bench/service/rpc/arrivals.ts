import { connect } from 'amqplib';
import { eventually } from '../../../test/support/eventually.js';
import { uniqueName } from '../../../test/support/unique-name.js';
import { listenToNotifications } from '../../../test/chaos/load/notifications.js';

const PATIENCE_MS = 30_000;

/** The time of each operation's notification at a consumer with a durable quorum queue, as in docs/client.md. */
export interface Arrivals {
  /** By operation, in milliseconds since 1970: the clock that the database has, too. */
  at: ReadonlyMap<string, number>;
  /** Resolves when all of these have arrived. */
  of(ids: readonly string[]): Promise<void>;
  forget(): void;
  close(): Promise<void>;
}

export async function collectArrivals(url: string): Promise<Arrivals> {
  const queue = uniqueName('bench_settled');
  const at = new Map<string, number>();
  const listener = await listenToNotifications(url, queue, ({ completed, failed }) => {
    const now = Date.now();
    for (const id of [...completed, ...failed.map((each) => each.id)]) if (!at.has(id)) at.set(id, now);
  });
  return {
    at,
    of: (ids) =>
      eventually(
        () => {
          const missing = ids.filter((id) => !at.has(id)).length;
          if (missing > 0) throw new Error(`${missing} of ${ids.length} operations have no notification`);
        },
        { timeoutMs: PATIENCE_MS, intervalMs: 50 },
      ),
    forget: () => at.clear(),
    async close() {
      await listener.close();
      const connection = await connect(url);
      const channel = await connection.createChannel();
      await channel.deleteQueue(queue);
      await connection.close();
    },
  };
}

import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.js';
import { Program } from './program.js';
import type { DatabaseSettings } from './settings.js';

/** What this example reads of an operation. */
export interface Operation {
  id: string;
  status: 'pending' | 'completed' | 'failed';
  error?: { code: string };
}

const SOURCE = 'reservation';

/** A process of the Batch Service, as `npm start` runs it, and its callers' side. */
export class BatchService {
  private constructor(
    private readonly program: Program,
    private readonly url: string,
  ) {}

  static async start(database: DatabaseSettings): Promise<BatchService> {
    const [http, rpc] = [await freePort(), await freePort()];
    // `dist/main.js`, beside what the package publishes. In production it runs elsewhere, from its own image.
    const main = fileURLToPath(new URL('../../main.js', import.meta.resolve('batch-service/client')));
    const flags = ['--max-semi-space-size=16', '--min-semi-space-size=16', '--heap-growing-percent=30'];
    const program = new Program('Batch Service', [process.execPath, ...flags, main], {
      DB_HOST: database.host,
      DB_PORT: String(database.port),
      DB_USERNAME: database.user,
      DB_PASSWORD: database.password,
      DB_NAME: database.database,
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: String(http),
      BATCH_RPC_TCP_PORT: String(rpc),
      LOG_LEVEL: 'warn',
    });
    const service = new BatchService(program, `http://127.0.0.1:${http}`);
    await program.ready(async () => {
      const response = await fetch(`${service.url}/health/ready`);
      if (!response.ok) throw new Error(await response.text());
    });
    return service;
  }

  /** Asks for a seat by inserting a row. Answers the HTTP status. */
  async ask(eventId: number, userId: number, requestId: string): Promise<number> {
    const response = await fetch(`${this.url}/api/v1/operations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        id: requestId,
        operationType: 'insert',
        target: 'seat_requests',
        values: { event_id: eventId, user_id: userId },
        source: SOURCE,
      }),
    });
    await response.arrayBuffer();
    return response.status;
  }

  /** Resolves when nothing waits any more. */
  async settled(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      let operation: Operation;
      do operation = await this.read<Operation>(`operations/${id}?wait=30000`);
      while (operation.status === 'pending');
    }
  }

  /** All operations of this example, a page after the other. */
  async operations(): Promise<Operation[]> {
    const operations: Operation[] = [];
    let cursor: string | undefined;
    do {
      const after = cursor === undefined ? '' : `&cursor=${cursor}`;
      const page = await this.read<{ items: Operation[]; nextCursor?: string }>(
        `operations?source=${SOURCE}&limit=1000${after}`,
      );
      operations.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return operations;
  }

  stop(): Promise<void> {
    return this.program.stop();
  }

  private async read<Answer>(path: string): Promise<Answer> {
    const response = await fetch(`${this.url}/api/v1/${path}`);
    if (!response.ok) throw new Error(`GET ${path} is answered with ${response.status}: ${await response.text()}`);
    return (await response.json()) as Answer;
  }
}

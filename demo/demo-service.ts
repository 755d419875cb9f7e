import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { IBatchOperation } from '../src/client/index.js';
import { environmentSchema } from '../src/services/config/environment-schema.js';
import { freePort } from '../test/support/free-port.js';
import { startServiceProcess, type ServiceProcess } from '../test/support/service-process.js';

const STOP_TIMEOUT_MS = 40_000;
const LOG_LINES = 15;

/** What the demo reads of a chunk. */
export interface ChunkFigures {
  statements: number;
  /** True when bad operations were isolated. */
  fallback: boolean;
  durationMs: number;
}

/** The service in a process of its own, as in production. */
export class DemoService {
  private stopping = false;

  private constructor(
    private readonly service: ServiceProcess,
    /** Address of its REST API. */
    readonly url: string,
  ) {}

  get pid(): number {
    return this.service.child.pid!;
  }

  /** @param environment database and transport; all other settings have their defaults, whatever `.env` says */
  static async start(environment: Record<string, string>, logFile: string): Promise<DemoService> {
    const port = String(await freePort());
    const service = await startServiceProcess({
      args: ['all'],
      environment: {
        ...withoutOwn(environmentSchema.shape),
        HTTP_HOST: '127.0.0.1',
        HTTP_PORT: port,
        BATCH_PROCESS_OPERATION_INTERVAL: '500',
        ...environment,
      },
      // Certificates may be named by relative paths.
      cwd: process.cwd(),
      // Ctrl-C goes to the demo only, which then stops the service.
      detached: true,
    });
    const log = createWriteStream(logFile);
    for (const stream of [service.child.stdout, service.child.stderr]) stream?.pipe(log, { end: false });
    void service.exited.then(() => log.end());
    return new DemoService(service, `http://127.0.0.1:${port}`);
  }

  async ready(signal: AbortSignal): Promise<void> {
    await Promise.race([this.service.up(), once(signal, 'abort')]);
    signal.throwIfAborted();
  }

  /** Is called if it ends before it was stopped. */
  onCrash(listener: (error: Error) => void): void {
    void this.service.exited.then((status) => {
      if (this.stopping) return;
      const lastWords = this.service.output.trimEnd().split('\n').slice(-LOG_LINES).join('\n');
      listener(new Error(`The service ended with ${status}. Its last words:\n${lastWords}`));
    });
  }

  chunks(): Promise<ChunkFigures[]> {
    return this.readAll('chunks?limit=1000');
  }

  operations(): Promise<IBatchOperation[]> {
    return this.readAll('operations?limit=1000');
  }

  /** Asks it to stop, and kills it if it does not. Returns its exit status. May be called again. */
  async stop(): Promise<number | string> {
    this.stopping = true;
    this.service.signal('SIGTERM');
    const timer = setTimeout(() => this.service.signal('SIGKILL'), STOP_TIMEOUT_MS);
    try {
      return await this.service.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  private async readAll<Item>(path: string): Promise<Item[]> {
    const items: Item[] = [];
    let cursor: string | undefined;
    do {
      const response = await fetch(`${this.url}/api/v1/${path}${cursor === undefined ? '' : `&cursor=${cursor}`}`);
      if (!response.ok) throw new Error(`GET ${path} is answered with ${response.status}: ${await response.text()}`);
      const page = (await response.json()) as { items: Item[]; nextCursor?: string };
      items.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return items;
  }
}

/** An empty variable counts as absent, and overrides the one in `.env`. */
function withoutOwn(variables: object): Record<string, string> {
  return Object.fromEntries(Object.keys(variables).map((name) => [name, '']));
}

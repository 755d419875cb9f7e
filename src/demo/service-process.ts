import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { IChunk } from '../interfaces/chunk.js';
import type { IBatchOperation, IPage } from '../interfaces/operation.js';
import { NODE_FLAGS } from '../services/config/node-flags.js';
import { environmentSchema } from '../services/config/environment-schema.js';
import { freePort } from './free-port.js';

const MAIN = fileURLToPath(new URL('../../main.js', import.meta.url));
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 40_000;
const READY_INTERVAL_MS = 50;
const LOG_LINES = 15;

/** The service in a process of its own, as in production. */
export class ServiceProcess {
  private readonly exited: Promise<number | string>;
  private stopping = false;

  private constructor(
    private readonly child: ChildProcess,
    private readonly logFile: string,
    /** Address of its REST API. */
    readonly url: string,
  ) {
    this.exited = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** @param environment database and transport; all else has its default, whatever `.env` says */
  static async start(environment: Record<string, string>, logFile: string): Promise<ServiceProcess> {
    const port = String(await freePort());
    const log = openSync(logFile, 'w');
    const child = spawn(process.execPath, [...NODE_FLAGS, MAIN, 'all'], {
      env: {
        ...process.env,
        ...withoutOwn(environmentSchema.shape),
        HTTP_HOST: '127.0.0.1',
        HTTP_PORT: port,
        BATCH_PROCESS_OPERATION_INTERVAL: '500',
        ...environment,
      },
      stdio: ['ignore', log, log],
      // Ctrl-C goes to the demo only, which then stops the service.
      detached: true,
    });
    closeSync(log);
    return new ServiceProcess(child, logFile, `http://127.0.0.1:${port}`);
  }

  /** Is called if it ends before it was stopped. */
  onCrash(listener: (error: Error) => void): void {
    void this.exited.then((status) => {
      if (!this.stopping) listener(new Error(`The service ended with ${status}. Its last words:\n${this.lastWords()}`));
    });
  }

  /** Resolves when it says that it is ready. */
  async ready(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (!(await this.isReady())) {
      signal.throwIfAborted();
      if (performance.now() > deadline)
        throw new Error(`The service is not ready. Its last words:\n${this.lastWords()}`);
      await delay(READY_INTERVAL_MS);
    }
  }

  chunks(): Promise<IChunk[]> {
    return this.readAll('chunks?limit=1000');
  }

  operations(): Promise<IBatchOperation[]> {
    return this.readAll('operations?limit=1000');
  }

  /** Asks it to stop; kills it when it does not. Answers its exit status. May be called again. */
  async stop(): Promise<number | string> {
    this.stopping = true;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  private async isReady(): Promise<boolean> {
    return fetch(`${this.url}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  private async readAll<Item>(path: string): Promise<Item[]> {
    const items: Item[] = [];
    let cursor: string | undefined;
    do {
      const response = await fetch(`${this.url}/api/v1/${path}${cursor === undefined ? '' : `&cursor=${cursor}`}`);
      if (!response.ok) throw new Error(`GET ${path} is answered with ${response.status}: ${await response.text()}`);
      const page = (await response.json()) as IPage<Item>;
      items.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return items;
  }

  private lastWords(): string {
    return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-LOG_LINES).join('\n');
  }
}

/** An empty variable counts as absent, and overrides the one in `.env`. */
function withoutOwn(variables: object): Record<string, string> {
  return Object.fromEntries(Object.keys(variables).map((name) => [name, '']));
}

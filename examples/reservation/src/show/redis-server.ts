import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { Redis } from 'ioredis';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { Program } from './program.js';

/**
 * A Redis of this example alone, which may be killed. `appendfsync always` writes each command to the disk before it is answered, so
 * what was acknowledged survives a kill. With `everysec`, the default, the last second may be lost when the machine goes down.
 */
export class RedisServer {
  private server: Program | undefined;

  private constructor(
    private readonly folder: string,
    private readonly port: number,
  ) {
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  static async start(): Promise<RedisServer> {
    const redis = new RedisServer(await mkdtemp(join(tmpdir(), 'reservation-redis-')), await freePort());
    await redis.launch();
    return redis;
  }

  /** Kills it with -9, and starts it again with the file that it has written. */
  async restart(): Promise<void> {
    await this.server?.kill();
    await this.launch();
  }

  async stop(): Promise<void> {
    await this.server?.kill();
  }

  private async launch(): Promise<void> {
    const own = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder];
    const persistence = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
    const memory = ['--maxmemory-policy', 'noeviction'];
    this.server = new Program('redis-server', ['redis-server', ...own, ...persistence, ...memory]);
    await this.server.ready(() => this.answers());
  }

  private async answers(): Promise<void> {
    const client = new Redis(this.url, { lazyConnect: true, retryStrategy: () => null });
    // The rejection of `connect` says the same.
    client.on('error', () => undefined);
    try {
      await client.connect();
      // While it reads its file, Redis answers with an error.
      await client.ping();
    } finally {
      client.disconnect();
    }
  }
}

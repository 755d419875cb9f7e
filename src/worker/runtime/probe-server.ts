import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { Logger } from 'pino';
import type { WorkerSettings } from '../settings/worker-settings.js';
import { WorkerStartError } from '../worker-error.js';
import type { WorkerHealth } from './worker-health.js';
import type { WorkerMetrics } from './worker-metrics.js';

const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * Answers probes and Prometheus on WORKER_PROBE_PORT: `/health/live` as long as the process works at all, `/health/ready`
 * with 200 or 503, `/metrics`. It has no access control, and shows no data of jobs.
 */
export class ProbeServer implements OnModuleInit, OnApplicationShutdown {
  private server: Server | undefined;

  constructor(
    private readonly settings: WorkerSettings,
    private readonly log: Logger,
    private readonly health: WorkerHealth,
    private readonly metrics: WorkerMetrics,
  ) {}

  async onModuleInit(): Promise<void> {
    const { probe } = this.settings;
    if (probe === undefined) return;
    const server = createServer((request, response) => {
      this.answer(request, response).catch((err: unknown) => {
        this.log.error({ err }, 'A probe could not be answered');
        response.writeHead(500).end();
      });
    });
    try {
      server.listen(probe.port, probe.host);
      await once(server, 'listening');
    } catch (cause) {
      const reason = (cause as Error).message;
      throw new WorkerStartError('INVALID_SETTINGS', [`WORKER_PROBE_PORT: cannot listen: ${reason}`], { cause });
    }
    this.server = server;
  }

  /** Last of all: while jobs are finished, the process is alive and says so. */
  async onApplicationShutdown(): Promise<void> {
    if (this.server === undefined) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async answer({ method, url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (method !== 'GET' && method !== 'HEAD') return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
    switch (url.split('?', 1)[0]) {
      case '/health/live':
        return void response.writeHead(200, { 'content-type': JSON_TYPE }).end('{"status":"ok"}\n');
      case '/health/ready': {
        const health = this.health.current;
        response.writeHead(health.ready ? 200 : 503, { 'content-type': JSON_TYPE });
        return void response.end(`${JSON.stringify(health)}\n`);
      }
      case '/metrics': {
        const { registry } = this.metrics;
        const text = await registry.metrics();
        return void response.writeHead(200, { 'content-type': registry.contentType }).end(text);
      }
      default:
        return void response.writeHead(404).end();
    }
  }
}

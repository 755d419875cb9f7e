import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { removeTopology } from '../support/amqp.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver.js';
import { startServiceProcess, type OtelEnvironment, type ServiceProcess } from '../support/service-process.js';
import { testEnvironment, type TestEnvironment } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
/** The limit of links of a span, and of spans that a chunk makes for its callers. */
const MAX_LINKS = 128;

describe('telemetry', () => {
  let database: TestDatabase;
  let receiver: OtlpReceiver;
  let environment: TestEnvironment;
  let otel: OtelEnvironment;
  const processes: ServiceProcess[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query('create table items (id int primary key)');
    receiver = await startOtlpReceiver();
  });
  afterAll(async () => {
    await receiver.close();
    await database.drop();
  });
  beforeEach(async () => {
    environment = testEnvironment({ ...database.environment, LOG_LEVEL: 'info', HTTP_PORT: String(await freePort()) });
    otel = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: '50' };
    await database.client.query('truncate items');
    return async () => {
      for (const each of processes.splice(0)) await each.end();
      const broker = await connect(environment.BATCH_SERVICE_RMQ_URL!);
      await removeTopology(broker, environment.BATCH_SERVICE_RMQ_QUEUE!);
      await broker.close();
    };
  });

  async function start(role: 'all' | 'api' | 'worker', variables: OtelEnvironment = otel, more: TestEnvironment = {}) {
    const started = await startServiceProcess({
      environment: { ...environment, ...more, BATCH_ROLE: role },
      otel: variables,
    });
    processes.push(started);
    await started.up();
    return started;
  }

  /** Creates an operation over REST. Answers its id. */
  async function create(id: number, headers: Record<string, string> = {}): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${environment.HTTP_PORT}/api/v1/operations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ operationType: 'insert', target: 'items', values: { id } }),
    });
    expect(response.status).toBe(201);
    return ((await response.json()) as { id: string }).id;
  }

  const status = async (id: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${environment.HTTP_PORT}/api/v1/operations/${id}?wait=10000`);
    return ((await response.json()) as { status: string }).status;
  };

  const storedContext = async (id: string): Promise<string | null> => {
    const { rows } = await database.client.query<{ trace_context: string | null }>(
      'select trace_context from batch.operations where id = $1',
      [id],
    );
    return rows[0]!.trace_context;
  };

  const inTrace = (traceId: string): ReceivedSpan[] => receiver.spans.filter((span) => span.traceId === traceId);
  const find = (spans: readonly ReceivedSpan[], name: string): ReceivedSpan => {
    const found = spans.filter((span) => span.name === name);
    expect(found.length, `spans ${name} of ${spans.map((span) => span.name).join(', ')}`).toBe(1);
    return found[0]!;
  };
  const linkTo = ({ traceId, spanId }: ReceivedSpan) => ({ traceId, spanId });
  const linked = (span: ReceivedSpan): ReceivedSpan => {
    const [link] = span.links;
    expect(span.links, span.name).toHaveLength(1);
    const other = receiver.spans.find(({ spanId }) => spanId === link!.spanId);
    if (other === undefined) throw new Error(`${span.name} links to a span that has not arrived`);
    return other;
  };

  it('leads one trace from the caller over the api to links to the chunk and to the notification', async () => {
    // The api sends protobuf, which is the default; the worker sends JSON.
    await start('api');
    await start('worker', { ...otel, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' });
    const source = uniqueName('shop');
    const { BATCH_SERVICE_RMQ_URL: url = '', BATCH_SERVICE_RMQ_QUEUE: queue = '' } = environment;
    const caller = ['--import', 'tsx', '--import', join(ROOT, 'dist/telemetry.js'), 'test/support/traced-caller.ts'];
    const { stdout } = await run(process.execPath, [...caller, url, queue, source], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...otel, OTEL_SERVICE_NAME: source },
    });
    const id = stdout.trim();

    await eventually(() => {
      const checkout = find(
        receiver.spans.filter(({ service }) => service === source),
        'checkout',
      );
      const trace = inTrace(checkout.traceId);
      const sent = find(trace, `send ${queue}`);
      expect(sent).toMatchObject({
        service: source,
        parentSpanId: checkout.spanId,
        kind: 'PRODUCER',
        attributes: {
          'messaging.system': 'rabbitmq',
          'messaging.operation.type': 'send',
          'messaging.destination.name': queue,
          'batch.pattern': 'create_operation',
        },
      });
      const taken = find(trace, `process ${queue}`);
      expect(taken).toMatchObject({
        service: 'batch-service',
        parentSpanId: sent.spanId,
        kind: 'CONSUMER',
        failed: false,
        attributes: {
          'messaging.system': 'rabbitmq',
          'messaging.operation.type': 'process',
          'messaging.destination.name': queue,
          'messaging.message.id': sent.attributes['messaging.message.id'],
          'batch.pattern': 'create_operation',
        },
      });
      expect(find(trace, 'INSERT batch.operations')).toMatchObject({
        parentSpanId: taken.spanId,
        kind: 'CLIENT',
        attributes: { 'db.system.name': 'postgresql', 'db.collection.name': 'batch.operations' },
      });

      const settle = find(trace, 'batch.settle');
      expect(settle).toMatchObject({
        parentSpanId: taken.spanId,
        failed: false,
        attributes: { 'batch.operations': 1, 'batch.operations.failed': 0, 'batch.operation.id': id },
      });
      const chunk = linked(settle);
      expect(chunk).toMatchObject({ name: 'batch.chunk', parentSpanId: '', links: [linkTo(taken)] });
      expect(chunk.traceId).not.toBe(checkout.traceId);
      expect(chunk.attributes).toMatchObject({
        'db.system.name': 'postgresql',
        'batch.chunk.id': settle.attributes['batch.chunk.id'],
        'batch.chunk.completed': 1,
        'batch.chunk.execute_ms': expect.any(Number) as number,
      });

      const notify = find(trace, 'batch.notify');
      expect(notify).toMatchObject({ parentSpanId: taken.spanId, failed: false });
      const published = linked(notify);
      expect(published).toMatchObject({
        name: 'send batch.events',
        kind: 'PRODUCER',
        links: [linkTo(taken)],
        attributes: {
          'messaging.system': 'rabbitmq',
          'messaging.destination.name': 'batch.events',
          'messaging.rabbitmq.destination.routing_key': `operations.settled.${source}`,
          'batch.chunk.id': settle.attributes['batch.chunk.id'],
        },
      });
      expect(find(inTrace(published.traceId), 'process batch.events')).toMatchObject({
        service: source,
        parentSpanId: published.spanId,
        kind: 'CONSUMER',
        attributes: { 'shop.chunk': settle.attributes['batch.chunk.id'] },
      });
    });
    expect([...receiver.contentTypes].sort()).toEqual(['application/json', 'application/x-protobuf']);
  });

  it('continues the trace of a request over REST, and names the route without values', async () => {
    await start('all');
    const traceId = randomBytes(16).toString('hex');
    const parent = randomBytes(8).toString('hex');
    const id = await create(2, { traceparent: `00-${traceId}-${parent}-01` });
    expect(await status(id)).toBe('completed');
    const bad = await create(2, { traceparent: `00-${traceId}-${parent}-01` });
    expect(await status(bad)).toBe('failed');

    await eventually(() => {
      const spans = inTrace(traceId);
      const created = spans.filter(({ name }) => name === 'POST /api/v1/operations');
      expect(created).toHaveLength(2);
      expect(created[0]).toMatchObject({
        parentSpanId: parent,
        kind: 'SERVER',
        attributes: {
          'http.request.method': 'POST',
          'http.route': '/api/v1/operations',
          'http.response.status_code': 201,
          'url.path': '/api/v1/operations',
        },
      });
      const settled = spans.filter(({ name }) => name === 'batch.settle');
      const byId = new Map(settled.map((span) => [span.attributes['batch.operation.id'], span]));
      expect(byId.get(id)).toMatchObject({ failed: false });
      expect(byId.get(bad)).toMatchObject({ failed: true, attributes: { 'error.type': 'UNIQUE_VIOLATION' } });
      expect(receiver.spans.some(({ name }) => name === 'GET /api/v1/operations/:id')).toBe(true);
    });
    expect(await storedContext(id)).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  });

  it('bounds the spans of a chunk with many callers, and the last ones arrive when the process stops', async () => {
    await start('api');
    const callers = Array.from({ length: MAX_LINKS + 20 }, (_, n) => ({
      id: 100 + n,
      traceId: randomBytes(16).toString('hex'),
    }));
    for (const { id, traceId } of callers)
      await create(id, { traceparent: `00-${traceId}-${randomUUID().slice(-12)}0001-01` });
    const worker = await start('worker', { ...otel, OTEL_BSP_SCHEDULE_DELAY: '60000' });
    await worker.said(`"completed":${callers.length}`);
    worker.signal('SIGTERM');
    expect(await worker.exited).toBe(0);

    const own = new Set(callers.map(({ traceId }) => traceId));
    const settles = receiver.spans.filter(({ name, traceId }) => name === 'batch.settle' && own.has(traceId));
    expect(settles).toHaveLength(MAX_LINKS);
    const chunk = linked(settles[0]!);
    expect(chunk.attributes).toMatchObject({ 'batch.chunk.completed': callers.length });
    expect(chunk.links).toHaveLength(MAX_LINKS);
  });

  it('loads nothing of the SDK, and stores no context, without an address for spans', async () => {
    const loadedWith = async (variables: OtelEnvironment): Promise<{ scripts: string[]; context: string | null }> => {
      const folder = await mkdtemp(join(tmpdir(), 'batch-loaded-'));
      try {
        const service = await start('all', { ...variables, NODE_V8_COVERAGE: folder });
        const id = await create(variables.OTEL_EXPORTER_OTLP_ENDPOINT === undefined ? 3 : 4, {
          traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
        });
        service.signal('SIGTERM');
        expect(await service.exited).toBe(0);
        const files = await readdir(folder);
        const results = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
        const scripts = results.flatMap((text) =>
          (JSON.parse(text) as { result: { url: string }[] }).result.map(({ url }) => url),
        );
        return { scripts, context: await storedContext(id) };
      } finally {
        await rm(folder, { recursive: true });
      }
    };
    const isSdk = (url: string): boolean => /register-telemetry|opentelemetry.(sdk|exporter)/.test(url);

    const without = await loadedWith({});
    expect(without.scripts.some((url) => url.endsWith('/dist/telemetry.js'))).toBe(true);
    expect(without.scripts.filter(isSdk)).toEqual([]);
    expect(without.context).toBeNull();

    const withAddress = await loadedWith(otel);
    expect(withAddress.scripts.filter(isSdk)).not.toEqual([]);
    expect(withAddress.context).toMatch(/^00-a{32}-/);
  });

  it('goes on without a collector, says so once, and stops in time', async () => {
    const service = await start('all', {
      ...otel,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
    });
    const id = await create(5, { traceparent: `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01` });
    expect(await status(id)).toBe('completed');
    await service.said('OpenTelemetry reports a fault');
    for (const n of [6, 7]) expect(await status(await create(n))).toBe('completed');
    const stoppedAt = performance.now();
    service.signal('SIGTERM');
    expect(await service.exited).toBe(0);
    expect(performance.now() - stoppedAt).toBeLessThan(10_000);
    expect(service.output.match(/OpenTelemetry reports a fault/g)).toHaveLength(1);
  });
});

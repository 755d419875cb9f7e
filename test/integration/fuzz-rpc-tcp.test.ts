import { once } from 'node:events';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FrameSocket } from '../support/frame-socket.js';
import { anyJson, hostileText, operation, wrongBody } from '../support/fuzz/arbitraries.js';
import { assertRefusal, startFuzzedService, type FuzzedService } from '../support/fuzz/fuzzed-service.js';
import { assertRpcAnswer, rpcRequest } from '../support/fuzz/rpc.js';

describe('arbitrary requests over TCP', () => {
  let fuzzed: FuzzedService;
  let port: number;

  beforeAll(async () => {
    fuzzed = await startFuzzedService({
      BATCH_SERVICE_RMQ_URL: '',
      BATCH_MAX_BODY_KB: '256',
      BATCH_MAX_OPERATION_KB: '64',
    });
    port = fuzzed.service.settings.rpcTcp.port;
  });
  afterEach(async () => {
    const frames = await FrameSocket.open(port);
    frames.write({ pattern: 'nobody', id: 'well', data: 1 });
    expect(await frames.next()).toMatchObject({ id: 'well', err: { code: 'UNKNOWN_PATTERN' } });
    frames.socket.destroy();
    await fuzzed.assertUnharmed();
  });
  afterAll(() => fuzzed.close());

  it('are answered, each under its id', async () => {
    let frames = await FrameSocket.open(port);
    const id = fc.oneof(hostileText, fc.integer(), fc.constantFrom(0, false, '', [], {}));
    await fc.assert(
      fc.asyncProperty(rpcRequest, id, async ({ pattern, data }, given) => {
        frames.write({ pattern, id: given, data });
        const { id: answered, ...answer } = await frames.next();
        assertRpcAnswer(pattern, answer);
        if (answered !== undefined) {
          expect(answered).toEqual(JSON.parse(JSON.stringify(given)));
          return;
        }
        // Too large or too deep to be read, and so is its id.
        expect(answer.err).toMatchObject({ code: expect.stringMatching(/^(PAYLOAD_TOO_LARGE|MALFORMED_MESSAGE)$/) });
        await once(frames.socket, 'close');
        frames = await FrameSocket.open(port);
      }),
      fuzzed.parameters(600),
    );
    await fuzzed.assertReached();
    frames.socket.destroy();
  });

  it('are refused when they are no request', async () => {
    const packet = fc.oneof(anyJson, fc.record({ pattern: anyJson, id: anyJson, data: anyJson }, { requiredKeys: [] }));
    const wrong = packet.filter((value) => !isRequest(value));
    await fc.assert(
      fc.asyncProperty(wrong, async (value) => {
        const frames = await FrameSocket.open(port);
        frames.write(value);
        const { err } = await frames.next();
        assertRefusal(err);
        expect(err).toMatchObject({ code: 'MALFORMED_MESSAGE' });
        await once(frames.socket, 'close');
      }),
      fuzzed.parameters(60),
    );
  });

  it('end their own connection alone when they are no frames', async () => {
    const frame = fc.oneof(
      wrongBody,
      fc
        .tuple(fc.constantFrom('5', '0', '-1', '1e3', '00005', '999999999', '٣', ' 5', ''), operation)
        .map(([length, data]) =>
          Buffer.from(`${length}#${JSON.stringify({ pattern: 'create_operation', id: 1, data })}`),
        ),
      fc.tuple(operation, fc.nat(), fc.nat(255)).map(([data, at, byte]) => {
        const text = JSON.stringify({ pattern: 'create_operation', id: 1, data });
        const bytes = Buffer.from(`${text.length}#${text}`);
        bytes[at % bytes.length] = byte;
        return bytes;
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 3 }), async (parts) => {
        const frames = await FrameSocket.open(port);
        const closed = once(frames.socket, 'close');
        for (const part of parts) frames.socket.write(part);
        frames.socket.end();
        await closed;
        for (const answer of frames.rest()) if (answer.err !== undefined) assertRefusal(answer.err);
      }),
      fuzzed.parameters(150),
    );
  });

  it('do no harm when nobody waits for an answer', async () => {
    await fc.assert(
      fc.asyncProperty(rpcRequest, async ({ pattern, data }) => {
        const frames = await FrameSocket.open(port);
        frames.write({ pattern, data });
        frames.write({ pattern: 'nobody', id: 'next', data: 1 });
        const answer = await frames.next();
        assertRefusal(answer.err);
        frames.socket.destroy();
      }),
      fuzzed.parameters(100),
    );
  });
});

function isRequest(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'pattern' in value && typeof value.pattern === 'string';
}

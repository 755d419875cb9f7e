import type { Random } from '../../support/random.js';
import type { Ledger } from '../ledger.js';
import { openRestTransport } from './rest.transport.js';
import { openRpcTransport } from './rpc.transport.js';
import { openStream, STREAM_KINDS, type StreamKind } from './streams.js';
import type { Transport } from './transport.js';
import { Writer, type WriterMode } from './writer.js';

export interface LoadOptions {
  /** Through RabbitMQ. */
  rpcUrl: string;
  queue: string;
  restUrls: readonly string[];
  ledger: Ledger;
  random: Random;
  forgetsIds: boolean;
}

export interface Load {
  /** Keys whose rows have to be there before the first operation. */
  keys: Readonly<Record<StreamKind, readonly string[]>>;
  /** The sources of events. */
  publishers: readonly string[];
  /** Writes until `stop`. Resolves when everything that was handed over is acknowledged, or after `giveUp`. */
  run(stop: AbortSignal, giveUp: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Writers of each kind, by each way: half of them by RPC, half by REST; and publishers of events. */
const CREW: readonly { mode: WriterMode; count: number; pauseMs: number; ways: readonly ('rpc' | 'rest')[] }[] = [
  { mode: 'single', count: 5, pauseMs: 25, ways: ['rpc', 'rest'] },
  { mode: 'bulk', count: 1, pauseMs: 200, ways: ['rpc', 'rest'] },
  { mode: 'emit', count: 3, pauseMs: 25, ways: ['rpc'] },
];
const STREAMS_OF_A_KIND = 2;

export function openLoad({ rpcUrl, queue, restUrls, ledger, random, forgetsIds }: LoadOptions): Load {
  const transports: Record<'rpc' | 'rest', Transport> = {
    rpc: openRpcTransport(rpcUrl, queue),
    rest: openRestTransport(restUrls, random),
  };
  const keys: Record<StreamKind, string[]> = {
    counters: [],
    history: [],
    latest: [],
    profiles: [],
    slots: [],
    families: [],
  };
  const streamsOf = (source: string) =>
    STREAM_KINDS.flatMap((kind) =>
      Array.from({ length: STREAMS_OF_A_KIND }, (_, index) => {
        const key = `${source}.${index + 1}`;
        keys[kind].push(key);
        return { id: `${kind}/${key}`, ordered: kind !== 'counters', stream: openStream(kind, key, random) };
      }),
    );
  const publishers: string[] = [];
  const writers = CREW.flatMap(({ mode, count, pauseMs, ways }) =>
    ways.flatMap((way) =>
      Array.from({ length: count }, (_, index) => {
        const source = `${way}-${mode}-${index + 1}`;
        if (mode === 'emit') publishers.push(source);
        const streams = streamsOf(source);
        return new Writer({ source, mode, transport: transports[way], streams, ledger, random, pauseMs, forgetsIds });
      }),
    ),
  );
  return {
    keys,
    publishers,
    async run(stop, giveUp) {
      await Promise.all(writers.map((writer) => writer.run(stop, giveUp)));
    },
    async close() {
      for (const transport of Object.values(transports)) await transport.close();
    },
  };
}

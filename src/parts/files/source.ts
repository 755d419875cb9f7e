import { Readable, Transform } from 'node:stream';

export interface CountedSource {
  stream: Readable;
  /** That have gone through so far. */
  readonly bytes: number;
  /** Why the stream of the caller has failed. */
  readonly failure: Error | undefined;
}

/** The content as a stream that knows its bytes, and whether it was the content that failed and not its receiver. */
export function countedSource(content: Buffer | Readable): CountedSource {
  const source = Buffer.isBuffer(content) ? Readable.from([content], { objectMode: false }) : content;
  const state = { bytes: 0, failure: undefined as Error | undefined };
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      state.bytes += chunk.length;
      done(null, chunk);
    },
  });
  // Its receiver may come later. Until then `failure` says it.
  counter.on('error', () => undefined);
  source.once('error', (error) => {
    state.failure = error;
    counter.destroy(error);
  });
  // A stream that is destroyed without an error would leave its receiver waiting.
  source.once('close', () => {
    if (source.readableEnded || state.failure !== undefined) return;
    state.failure = new Error('it was closed before its end');
    counter.destroy(state.failure);
  });
  counter.once('close', () => source.destroy());
  source.pipe(counter);
  return {
    stream: counter,
    get bytes() {
      return state.bytes;
    },
    get failure() {
      return state.failure;
    },
  };
}

import type { ChannelModel } from 'amqplib';
import { DROPPED_HEADERS_HEADER } from './parked-message.js';

/** What the library's connection has and its types do not tell: bytes that were received and not read, and who reads the next frame. */
interface FrameReader {
  rest: Buffer;
  recvFrame(): unknown;
}

const HEADER_FRAME = 2;
/** Type, channel, size. */
const FRAME_HEAD_BYTES = 7;
/** Class, weight, size of the body. */
const CONTENT_HEAD_BYTES = 12;
const CONTENT_TYPE_FLAG = 0x8000;
const CONTENT_ENCODING_FLAG = 0x4000;
const HEADERS_FLAG = 0x2000;

/** The only header of a message whose own could not be read: true. */
const REPLACEMENT = Buffer.concat([
  Buffer.from([0, 0, 0, DROPPED_HEADERS_HEADER.length + 3, DROPPED_HEADERS_HEADER.length]),
  Buffer.from(DROPPED_HEADERS_HEADER),
  Buffer.from('t\x01', 'latin1'),
]);

/**
 * Lets the connection take messages whose headers the library cannot read, as tables that nest deeper than its stack reaches: with a
 * single header in their place. Otherwise such a message ends every connection that it is delivered to, again and again.
 */
export function dropUnreadableHeaders({ connection }: Pick<ChannelModel, 'connection'>): void {
  const reader = connection as unknown as FrameReader;
  const receive = reader.recvFrame.bind(reader);
  reader.recvFrame = () => {
    const received = reader.rest;
    try {
      return receive();
    } catch (error) {
      const readable = withoutHeaders(received);
      if (readable === undefined) throw error;
      reader.rest = readable;
      return receive();
    }
  };
}

/** What was received, with the replacement for the headers in its first frame; undefined where that has none. */
export function withoutHeaders(received: Buffer): Buffer | undefined {
  if (received[0] !== HEADER_FRAME) return undefined;
  const flagsAt = FRAME_HEAD_BYTES + CONTENT_HEAD_BYTES;
  const flags = received.readUInt16BE(flagsAt);
  if ((flags & HEADERS_FLAG) === 0) return undefined;
  let tableAt = flagsAt + 2;
  // Short texts before them.
  for (const flag of [CONTENT_TYPE_FLAG, CONTENT_ENCODING_FLAG]) {
    if ((flags & flag) !== 0) tableAt += 1 + received[tableAt]!;
  }
  const behindTable = tableAt + 4 + received.readUInt32BE(tableAt);
  const head = Buffer.from(received.subarray(0, tableAt));
  head.writeUInt32BE(received.readUInt32BE(3) - (behindTable - tableAt) + REPLACEMENT.length, 3);
  return Buffer.concat([head, REPLACEMENT, received.subarray(behindTable)]);
}

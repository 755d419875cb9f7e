import type { ChannelModel } from 'amqplib';
import { DROPPED_HEADERS_HEADER } from './parked-message.js';

/**
 * Fields of the library's connection that its types do not declare: received bytes that were not read yet, and the
 * function that reads the next frame.
 */
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

/** The only header of a message whose own headers could not be read. Its value is true. */
const REPLACEMENT = Buffer.concat([
  Buffer.from([0, 0, 0, DROPPED_HEADERS_HEADER.length + 3, DROPPED_HEADERS_HEADER.length]),
  Buffer.from(DROPPED_HEADERS_HEADER),
  Buffer.from('t\x01', 'latin1'),
]);

/**
 * Lets the connection accept messages whose headers the library cannot read, such as tables that nest deeper than its
 * stack allows. A single header replaces them. Otherwise such a message would end every connection to which it is
 * delivered.
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

/** The received bytes, with the replacement for the headers of the first frame. Undefined if it has no headers. */
export function withoutHeaders(received: Buffer): Buffer | undefined {
  if (received[0] !== HEADER_FRAME) return undefined;
  const flagsAt = FRAME_HEAD_BYTES + CONTENT_HEAD_BYTES;
  const flags = received.readUInt16BE(flagsAt);
  if ((flags & HEADERS_FLAG) === 0) return undefined;
  let tableAt = flagsAt + 2;
  // These properties, as short texts, precede the headers.
  for (const flag of [CONTENT_TYPE_FLAG, CONTENT_ENCODING_FLAG]) {
    if ((flags & flag) !== 0) tableAt += 1 + received[tableAt]!;
  }
  const behindTable = tableAt + 4 + received.readUInt32BE(tableAt);
  const head = Buffer.from(received.subarray(0, tableAt));
  head.writeUInt32BE(received.readUInt32BE(3) - (behindTable - tableAt) + REPLACEMENT.length, 3);
  return Buffer.concat([head, REPLACEMENT, received.subarray(behindTable)]);
}

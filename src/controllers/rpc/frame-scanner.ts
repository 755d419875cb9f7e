import { isUtf8 } from 'node:buffer';
import { ServiceError } from '../../services/errors/service-error.js';
import { tooLarge } from './decode-packet.js';

export interface Scanned {
  /** The readable text, in complete characters. */
  text: string;
  /** Why the rest of the stream cannot be read. */
  fault?: ServiceError;
}

/** An incomplete frame. */
export interface UnreadFrame {
  /** Its number in the stream: 1 is the first. */
  ordinal: number;
  /** UTF-16 units of its text that have arrived. */
  arrived: number;
}

/**
 * Checks a stream of frames `<length>#<JSON>` before their rest has arrived. It promises that the conversion to text
 * changes no byte. It promises that a stream is refused at the first byte that cannot belong to a frame, or that
 * belongs to a frame which is too large. It does not check the contents of frames.
 */
export class FrameScanner {
  /** The beginning of a character whose rest has not arrived. */
  private rest: Buffer = Buffer.alloc(0);
  /** The length that is being read. Undefined before its first digit. */
  private length: number | undefined;
  /** UTF-16 units of the current frame, and how many of them have not arrived. */
  private whole = 0;
  private missing = 0;
  /** Frames whose first digit has arrived. */
  private begun = 0;

  constructor(private readonly maxKb: number) {}

  /** Undefined: only complete frames have arrived. */
  get unread(): UnreadFrame | undefined {
    if (this.missing > 0) return { ordinal: this.begun, arrived: this.whole - this.missing };
    return this.length === undefined ? undefined : { ordinal: this.begun, arrived: 0 };
  }

  scan(data: Buffer): Scanned {
    const { text, rest, valid } = decode(Buffer.concat([this.rest, data]));
    this.rest = rest;
    let at = 0;
    while (at < text.length) {
      const skipped = Math.min(this.missing, text.length - at);
      this.missing -= skipped;
      at += skipped;
      if (at === text.length) break;
      const fault = this.readLength(text.charAt(at));
      if (fault !== undefined) return { text: text.slice(0, at), fault };
      at += 1;
    }
    if (valid) return { text };
    return { text, fault: new ServiceError('MALFORMED_MESSAGE', 'The message is not valid UTF-8') };
  }

  private readLength(char: string): ServiceError | undefined {
    if (char >= '0' && char <= '9') {
      if (this.length === undefined) this.begun += 1;
      this.length = (this.length ?? 0) * 10 + Number(char);
      // A UTF-16 unit takes at least one byte.
      return this.length > this.maxKb * 1024 ? tooLarge(this.maxKb) : undefined;
    }
    if (char !== '#' || this.length === undefined) {
      return new ServiceError('MALFORMED_MESSAGE', 'The frame has no length; expected <length>#<JSON>');
    }
    this.whole = this.length;
    this.missing = this.length;
    this.length = undefined;
    return undefined;
  }
}

/** `text`: everything before the first byte that is not UTF-8. `rest`: the bytes of an incomplete character. */
function decode(bytes: Buffer): { text: string; rest: Buffer; valid: boolean } {
  const end = endOfCharacters(bytes);
  const whole = bytes.subarray(0, end);
  if (isUtf8(whole)) return { text: whole.toString('utf8'), rest: bytes.subarray(end), valid: true };
  const readable = whole.subarray(0, endOfAgreement(whole, Buffer.from(whole.toString('utf8'))));
  const text = readable.subarray(0, endOfCharacters(readable)).toString('utf8');
  return { text, rest: Buffer.alloc(0), valid: false };
}

const LONGEST_CHARACTER = 4;

/** Where an incomplete character begins. The end of the bytes when there is none. */
function endOfCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(LONGEST_CHARACTER, bytes.length); back += 1) {
    const start = bytes.length - back;
    const length = characterLength(bytes[start]!);
    if (length !== undefined) return length > back ? start : bytes.length;
  }
  return bytes.length;
}

/** The number of bytes of the character that begins with this one. Undefined within a character. */
function characterLength(byte: number): number | undefined {
  if (byte < 0x80) return 1;
  if (byte < 0xc0) return undefined;
  if (byte < 0xe0) return 2;
  return byte < 0xf0 ? 3 : 4;
}

/** Where two differ first: after decoding and encoding, only invalid UTF-8 has changed. */
function endOfAgreement(one: Buffer, other: Buffer): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}

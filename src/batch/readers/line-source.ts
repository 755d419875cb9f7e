import { open, type FileHandle } from 'node:fs/promises';
import { cannotOpen, isShorter } from './resource-errors.js';

/** A line without its end, `\n` or `\r\n`. */
export interface Line {
  bytes: Buffer;
  /** The end of the line as it is in the file. */
  terminator: '' | '\n' | '\r\n';
  /** Counted from 1. */
  number: number;
  /** The byte after the end of the line. */
  end: number;
  /** True when the line is longer than allowed. Only its beginning is in `bytes`. */
  isTooLong: boolean;
}

export interface LinePosition {
  /** Bytes. */
  offset: number;
  /** The number of lines before it. */
  line: number;
}

const BLOCK_BYTES = 64 * 1024;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/** Of a line that is too long. */
const KEPT_BYTES = 1000;

/**
 * Gives the lines of a file, block by block, and says at which byte each ends. It holds one block and one line. It knows no
 * encoding: in all that it is used for, the byte of a newline is part of no other character.
 */
export class LineSource {
  private rest: Buffer = Buffer.alloc(0);
  /** True while the rest of a line that is too long is left out. */
  private leavesOut = false;
  private ended = false;
  /** The byte to read next. */
  private readAt: number;
  private lineStart: number;

  private constructor(
    private readonly file: FileHandle,
    private readonly maxLineBytes: number,
    offset: number,
    private line: number,
    /** Of the file, when it was opened. Bytes. */
    readonly size: number,
  ) {
    this.readAt = offset;
    this.lineStart = offset;
  }

  /** @throws BatchError RESOURCE_NOT_FOUND, RESOURCE_CHANGED */
  static async open(resource: string, maxLineBytes: number, { offset, line }: LinePosition): Promise<LineSource> {
    const file = await open(resource, 'r').catch((error: unknown) => {
      throw cannotOpen(resource, error);
    });
    try {
      const stat = await file.stat();
      if (stat.isDirectory()) throw cannotOpen(resource, new Error('It is a directory'));
      if (offset > stat.size) throw isShorter(resource, stat.size, offset);
      const start = offset === 0 ? await byteOrderMark(file) : offset;
      return new LineSource(file, maxLineBytes, start, line, stat.size);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The lines that end in the next block: perhaps none. Null at the end of the file. */
  async next(): Promise<Line[] | null> {
    if (this.ended) return null;
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    const { bytesRead } = await this.file.read(block, 0, BLOCK_BYTES, this.readAt);
    this.readAt += bytesRead;
    if (bytesRead > 0) return this.split(block.subarray(0, bytesRead));
    this.ended = true;
    if (this.rest.length === 0) return null;
    return [this.take(this.rest, this.readAt, '')];
  }

  close(): Promise<void> {
    return this.file.close();
  }

  private split(block: Buffer): Line[] {
    const bytes = this.rest.length === 0 ? block : Buffer.concat([this.rest, block]);
    const base = this.readAt - bytes.length;
    const lines: Line[] = [];
    let start = 0;
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, start)) {
      const isCrLf = at > start && bytes[at - 1] === CARRIAGE_RETURN;
      lines.push(this.take(bytes.subarray(start, isCrLf ? at - 1 : at), base + at + 1, isCrLf ? '\r\n' : '\n'));
      start = at + 1;
    }
    this.keep(bytes.subarray(start));
    return lines;
  }

  /** Keeps the beginning of the next line. A copy, since a part of a block would keep the whole block in memory. */
  private keep(bytes: Buffer): void {
    this.leavesOut ||= bytes.length > this.maxLineBytes;
    this.rest = Buffer.from(this.leavesOut ? bytes.subarray(0, KEPT_BYTES) : bytes);
  }

  private take(bytes: Buffer, end: number, terminator: Line['terminator']): Line {
    const isTooLong = this.leavesOut || end - this.lineStart - terminator.length > this.maxLineBytes;
    this.leavesOut = false;
    this.lineStart = end;
    this.line += 1;
    return { bytes: isTooLong ? bytes.subarray(0, KEPT_BYTES) : bytes, terminator, number: this.line, end, isTooLong };
  }
}

/** The length of the byte order mark at the beginning of the file, or 0. */
async function byteOrderMark(file: FileHandle): Promise<number> {
  const beginning = Buffer.alloc(BYTE_ORDER_MARK.length);
  await file.read(beginning, 0, beginning.length, 0);
  return beginning.equals(BYTE_ORDER_MARK) ? beginning.length : 0;
}

const LENGTH_BYTES = 4;

/** One message of PostgreSQL's protocol, version 3. */
export interface Frame {
  /** Its first byte; empty for the first message of a client, which has none. */
  type: string;
  body: Buffer;
}

/** Cuts one direction of a connection into its messages, wherever the bytes were cut on their way. */
export class MessageFrames {
  private rest: Buffer = Buffer.alloc(0);

  /** @param startup a client's side: its first message has no type */
  constructor(private startup: boolean) {}

  /** The messages that these bytes complete. */
  take(bytes: Buffer): Frame[] {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    const frames: Frame[] = [];
    let at = 0;
    for (;;) {
      const typeBytes = this.startup ? 0 : 1;
      if (this.rest.length < at + typeBytes + LENGTH_BYTES) break;
      // The length counts itself, but not the type.
      const end = at + typeBytes + this.rest.readInt32BE(at + typeBytes);
      if (this.rest.length < end) break;
      frames.push({
        type: this.rest.toString('latin1', at, at + typeBytes),
        body: this.rest.subarray(at + typeBytes + LENGTH_BYTES, end),
      });
      this.startup = false;
      at = end;
    }
    this.rest = this.rest.subarray(at);
    return frames;
  }
}

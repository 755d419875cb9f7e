import { ExecutionGate, type Leave } from './execution-gate.js';
import { MessageLine, type LineMessage, type LineSurroundings } from './message-line.js';
import type { Suspects } from './suspects.js';

/**
 * The messages of a channel: a line for each sender. It promises that the messages of a sender take effect in the order
 * of their delivery (see `MessageLine`). No sender waits for the messages of another, except while suspects are
 * executed apart from everything else (see `Suspects`). A line exists only while it has messages.
 */
export class MessageLines {
  /** By sender. All messages without a sender are in one line. */
  private readonly lines = new Map<string | undefined, MessageLine>();
  /** By sender, while large messages are read. Later messages of the sender wait for them. */
  private readonly reading = new Map<string | undefined, Promise<void>>();
  private unread = 0;
  private readonly ending = new AbortController();
  private readonly surroundings: LineSurroundings;

  constructor(suspects: Suspects) {
    this.surroundings = { suspects, gate: new ExecutionGate(), ending: this.ending.signal };
  }

  /** How many messages wait for their turn. */
  get length(): number {
    let length = this.unread;
    for (const line of this.lines.values()) length += line.length;
    return length;
  }

  /** How many senders have messages here that wait or are under way. */
  get senders(): number {
    return this.lines.size;
  }

  add(message: LineMessage): void {
    const { sender } = message;
    const before = this.reading.get(sender);
    if (before === undefined && message.read === undefined) return this.takePlace(message);
    const read = this.readAfter(before, message);
    this.reading.set(sender, read);
    void read.then(() => this.reading.get(sender) === read && this.reading.delete(sender));
  }

  private async readAfter(before: Promise<void> | undefined, message: LineMessage): Promise<void> {
    this.unread += 1;
    await before;
    await this.readApartFromSuspects(message);
    this.unread -= 1;
    this.takePlace(message);
  }

  /** If the process ends while it reads, no suspect is blamed. */
  private async readApartFromSuspects(message: LineMessage): Promise<void> {
    if (message.read === undefined || this.ending.signal.aborted) return;
    const leave = await new Promise<Leave>((resolve) => this.surroundings.gate.enter(resolve));
    await message.read();
    leave();
  }

  private takePlace(message: LineMessage): void {
    if (this.ending.signal.aborted) return;
    const { sender } = message;
    const line = this.lines.get(sender) ?? new MessageLine(sender, this.surroundings, () => this.lines.delete(sender));
    line.add(message);
    if (!line.isEmpty) this.lines.set(sender, line);
  }

  /** Begins nothing more. What waits is left to the broker. Resolves when what was begun has ended. Repeatable. */
  async end(): Promise<void> {
    this.ending.abort();
    await Promise.all([...this.lines.values()].map((line) => line.end()));
  }
}

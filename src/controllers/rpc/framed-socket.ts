import type { Socket } from 'node:net';
import { JsonSocket } from '@nestjs/microservices';
import type { IServiceError } from '../../interfaces/error.js';
import type { InFlightBudget } from '../../services/backpressure/in-flight-budget.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { inSlices } from '../../services/steps/in-slices.js';
import { stringifyJson } from '../../services/values/exact-json.js';
import { decodePacket, type PacketLimits, type RpcPacket } from './decode-packet.js';
import { FRAME_TIMEOUT_MS, FrameInArrival } from './frame-in-arrival.js';
import { FrameScanner } from './frame-scanner.js';
import { InFlight } from './in-flight.js';
import type { Patience } from './patience.js';
import { refusal } from './rpc-answer.js';

/** The buffer may contain a frame together with the beginning of the next one. */
const READ_AHEAD = 128 * 1024;
/** A larger frame is not read at once. */
const LARGE_FRAME_BYTES = 32 * 1024;
/** The same as the longest long poll. */
const LAST_ANSWERS_TIMEOUT_MS = 30_000;
/**
 * The time for a caller to read the last answer and close. After it the connection is cut, so that the caller does not
 * keep it.
 */
const PARTING_MS = 5000;

/**
 * Limits of the answers that a caller has not read yet: beyond the first, nothing more is read from it, and beyond the
 * second its connection is cut. NestJS stops reading at 16 KiB already. If a caller does the same while it sends
 * requests, both wait for ever.
 */
const MANY_UNTAKEN_BYTES = 16 * 1024 * 1024;
const MOST_UNTAKEN_BYTES = 128 * 1024 * 1024;

/** A request with the bytes of its frame. */
export interface SizedPacket extends RpcPacket {
  bytes: number;
}

/**
 * The frames of NestJS' TCP transport, `<length in UTF-16 units>#<JSON>`, with a limit on their size, on the time in
 * which one must arrive, and on the memory of all incomplete frames, see `FrameInArrival`. A caller whose frame is
 * refused gets the reason, without an `id` because none could be read. Its connection ends when earlier requests are
 * answered, because the beginning of its next frame is not known.
 */
export class FramedSocket extends JsonSocket {
  /** The requests of this connection that are being answered. */
  readonly inFlight = new InFlight();
  /** The caller's address. Node forgets it when the connection closes. */
  readonly address: string;
  private readonly scanner: FrameScanner;
  private readonly arrival: FrameInArrival;
  private broken = false;
  /** Frames are read one after another. */
  private reading = Promise.resolve();
  private unreadable = false;
  /** The number of reasons to read nothing from the connection now. */
  private pauses = 0;
  private awaitsDrain = false;

  /**
   * @param budget takes account of frames until they are complete
   * @param onRefused is called for every refusal that no handler made
   */
  constructor(
    socket: Socket,
    private readonly limits: PacketLimits,
    budget: InFlightBudget,
    private readonly onRefused: (error: IServiceError) => void,
  ) {
    super(socket, { maxBufferSize: limits.maxBodyKb * 1024 + READ_AHEAD });
    this.address = socket.remoteAddress ?? '';
    // Otherwise an answer would wait for the acknowledgement of the previous one: up to 40 ms.
    socket.setNoDelay(true);
    this.scanner = new FrameScanner(limits.maxBodyKb);
    this.arrival = new FrameInArrival(budget, () => this.handleDataError(tooSlow()));
    socket.once('close', () => this.arrival.count(undefined));
  }

  /**
   * Closes the connection of a caller that does not begin within `firstMs`, or that sends nothing for `idleMs`. It
   * waits while a request is being answered. While a frame is arriving, the time limit of a frame applies.
   */
  endWhenSilent({ firstMs, idleMs }: Patience, onSilent: () => void): void {
    const { socket } = this;
    let spoke = false;
    socket.setTimeout(firstMs);
    socket.once('data', () => {
      spoke = true;
      socket.setTimeout(idleMs);
    });
    socket.on('timeout', () => {
      if (!spoke) {
        onSilent();
        return void socket.destroy();
      }
      // Node reports it only once, until there is traffic again.
      if (this.inFlight.size > 0 || this.scanner.unread !== undefined) return void socket.setTimeout(idleMs);
      // A request that is on its way now is not begun: its caller sees that the connection is closed, and nothing was
      // done.
      this.broken = true;
      this.part();
    });
  }

  /** NestJS decodes leniently, and waits half a minute for the rest of invalid data, again after every byte. */
  protected override handleData(data: Buffer | string): void {
    if (this.broken) return;
    const { text, fault } = this.scanner.scan(Buffer.from(data));
    this.arrival.release();
    super.handleData(text);
    if (fault !== undefined) throw fault;
    this.arrival.count(this.scanner.unread);
  }

  protected override emitMessage(text: string): void {
    const body = Buffer.from(text);
    // Otherwise later frames would fill the memory meanwhile.
    const isLarge = body.length > LARGE_FRAME_BYTES;
    if (isLarge) this.pause();
    this.reading = this.reading.then(() => this.read(body)).finally(() => isLarge && this.resume());
    void this.inFlight.track(() => this.reading);
  }

  /** Never rejects. */
  private async read(body: Buffer): Promise<void> {
    if (this.unreadable) return;
    try {
      const packet: SizedPacket = { ...(await inSlices(decodePacket(body, this.limits))), bytes: body.length };
      this.socket.emit('message', packet);
    } catch (error) {
      this.unreadable = true;
      this.handleDataError(error);
    }
  }

  protected override handleSend(message: unknown, callback?: (error?: unknown) => void): void {
    const { socket } = this;
    const text = stringifyJson(message);
    socket.write(`${text.length}#${text}`, 'utf-8', callback);
    if (socket.writableLength > MOST_UNTAKEN_BYTES) return void socket.destroy();
    if (socket.writableLength <= MANY_UNTAKEN_BYTES || this.awaitsDrain) return;
    this.awaitsDrain = true;
    this.pause();
    socket.once('drain', () => {
      this.awaitsDrain = false;
      this.resume();
    });
  }

  private pause(): void {
    this.pauses += 1;
    this.socket.pause();
  }

  private resume(): void {
    this.pauses -= 1;
    if (this.pauses === 0) this.socket.resume();
  }

  protected override handleDataError(error: unknown, options?: { destroy?: boolean }): void {
    if (options?.destroy === true) return super.handleDataError(error, options);
    if (this.broken) return;
    this.stopReading();
    this.refuse(error);
    this.partWhenAnswered();
  }

  /** Reads nothing more, and ends the connection when earlier requests are answered. */
  finish(): void {
    if (this.broken) return;
    this.stopReading();
    this.partWhenAnswered();
  }

  private stopReading(): void {
    this.broken = true;
    this.arrival.count(undefined);
    // NestJS' own buffer, which cannot be emptied otherwise: it would stay in memory longer than it is counted.
    Reflect.set(this, 'buffer', '');
  }

  /** Not as NestJS does it, which treats the caller's fault as its own error. */
  private partWhenAnswered(): void {
    void this.inFlight.drained(LAST_ANSWERS_TIMEOUT_MS).then(() => this.part());
  }

  private part(): void {
    const { socket } = this;
    socket.end();
    const cutOff = setTimeout(() => socket.destroy(), PARTING_MS).unref();
    socket.once('close', () => clearTimeout(cutOff));
  }

  private refuse(error: unknown): void {
    const { err, ...answer } = refusal(refusalOf(error));
    if (err !== undefined) this.onRefused(err);
    this.sendMessage({ ...answer, err });
  }
}

function tooSlow(): ServiceError {
  return new ServiceError('MALFORMED_MESSAGE', `The frame was not complete after ${FRAME_TIMEOUT_MS / 1000} s`);
}

function refusalOf(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new ServiceError('MALFORMED_MESSAGE', `The frame cannot be read; expected <length>#<JSON>: ${reason}`);
}

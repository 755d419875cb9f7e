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

/** A frame may stand in the buffer together with the beginning of the next one. */
const READ_AHEAD = 128 * 1024;
/** One that is larger is not read at once. */
const LARGE_FRAME_BYTES = 32 * 1024;
/** As long as the longest long poll. */
const LAST_ANSWERS_TIMEOUT_MS = 30_000;
/** For a caller to take the last answer and go: one that stays is cut off, so that it does not keep its connection. */
const PARTING_MS = 5000;

/**
 * Answers that a caller has not taken yet: with more, nothing further is read from it, and with the most it is cut off. NestJS stops
 * reading at 16 KiB already; a caller that is just sending requests does the same, and both wait for ever.
 */
const MANY_UNTAKEN_BYTES = 16 * 1024 * 1024;
const MOST_UNTAKEN_BYTES = 128 * 1024 * 1024;

/** A request with the bytes of its frame. */
export interface SizedPacket extends RpcPacket {
  bytes: number;
}

/**
 * The frames of NestJS' TCP transport, `<length in UTF-16 units>#<JSON>`, with a limit on their size, on the time that one
 * may take to arrive, and on the memory of all that are not whole, see `FrameInArrival`. A caller whose frame is refused
 * is told why, without an `id` because none could be read, and its connection ends when what stood before is
 * answered: where its next frame begins is not known.
 */
export class FramedSocket extends JsonSocket {
  /** The requests of this connection that are being answered. */
  readonly inFlight = new InFlight();
  /** Where the caller is. Node forgets it when the connection closes. */
  readonly address: string;
  private readonly scanner: FrameScanner;
  private readonly arrival: FrameInArrival;
  private broken = false;
  /** Frames are read one after another. */
  private reading = Promise.resolve();
  private unreadable = false;
  /** How many reasons there are to take nothing from the connection now. */
  private pauses = 0;
  private awaitsDrain = false;

  /**
   * @param budget out of which frames are kept until they are whole
   * @param onRefused is told of every refusal that no handler made.
   */
  constructor(
    socket: Socket,
    private readonly limits: PacketLimits,
    budget: InFlightBudget,
    private readonly onRefused: (error: IServiceError) => void,
  ) {
    super(socket, { maxBufferSize: limits.maxBodyKb * 1024 + READ_AHEAD });
    this.address = socket.remoteAddress ?? '';
    // An answer would wait for the acknowledgement of the one before: up to 40 ms.
    socket.setNoDelay(true);
    this.scanner = new FrameScanner(limits.maxBodyKb);
    this.arrival = new FrameInArrival(budget, () => this.handleDataError(tooSlow()));
    socket.once('close', () => this.arrival.count(undefined));
  }

  /**
   * Gives up a caller that does not begin within `firstMs`, and closes the connection of one that has had nothing to say for `idleMs`.
   * One whose request is being answered is waited for, and one whose frame is arriving has the time of a frame.
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
      // Node tells of it once, until there is something again.
      if (this.inFlight.size > 0 || this.scanner.unread !== undefined) return void socket.setTimeout(idleMs);
      // A request that is on its way now is not begun: its caller learns that the connection is closed, and nothing was done.
      this.broken = true;
      this.part();
    });
  }

  /** NestJS decodes leniently, waits half a minute for the rest of what is no frame, and half a minute anew after every byte. */
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
    // What comes behind it would fill the memory meanwhile.
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

  /** Reads nothing more, and ends the connection when what stood before is answered. */
  finish(): void {
    if (this.broken) return;
    this.stopReading();
    this.partWhenAnswered();
  }

  private stopReading(): void {
    this.broken = true;
    this.arrival.count(undefined);
    // NestJS' own, which it offers no way to empty: it would outlive what it is counted for.
    Reflect.set(this, 'buffer', '');
  }

  /** Not as NestJS does it, which takes the caller's fault for an error of its own. */
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
  return new ServiceError('MALFORMED_MESSAGE', `The frame was not whole after ${FRAME_TIMEOUT_MS / 1000} s`);
}

function refusalOf(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new ServiceError('MALFORMED_MESSAGE', `The frame is not readable; expected <length>#<JSON>: ${reason}`);
}

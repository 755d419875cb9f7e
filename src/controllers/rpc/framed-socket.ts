import type { Socket } from 'node:net';
import { JsonSocket } from '@nestjs/microservices';
import type { IServiceError } from '../../interfaces/error.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { decodePacket } from './decode-packet.js';
import { FrameScanner } from './frame-scanner.js';
import { InFlight } from './in-flight.js';
import { refusal } from './rpc-answer.js';

/** A frame may stand in the buffer together with the beginning of the next one. */
const READ_AHEAD = 128 * 1024;
/** As long as the longest long poll. */
const LAST_ANSWERS_TIMEOUT_MS = 30_000;

/**
 * The frames of NestJS' TCP transport, `<length in UTF-16 units>#<JSON>`, with a limit on their size. A caller whose frame
 * cannot be read is told why, without an `id` because none could be read, and its connection ends when what stood before is
 * answered: where its next frame begins is not known.
 */
export class FramedSocket extends JsonSocket {
  /** The requests of this connection that are being answered. */
  readonly inFlight = new InFlight();
  private readonly scanner: FrameScanner;
  private broken = false;

  /** @param onRefused is told of every refusal that no handler made. */
  constructor(
    socket: Socket,
    private readonly maxKb: number,
    private readonly onRefused: (error: IServiceError) => void,
  ) {
    super(socket, { maxBufferSize: maxKb * 1024 + READ_AHEAD });
    this.scanner = new FrameScanner(maxKb);
  }

  /** NestJS decodes leniently, and waits half a minute for the rest of what is no frame. */
  protected override handleData(data: Buffer | string): void {
    if (this.broken) return;
    const { text, fault } = this.scanner.scan(Buffer.from(data));
    super.handleData(text);
    if (fault !== undefined) throw fault;
  }

  protected override emitMessage(text: string): void {
    this.socket.emit('message', decodePacket(Buffer.from(text), this.maxKb));
  }

  protected override handleDataError(error: unknown, options?: { destroy?: boolean }): void {
    if (options?.destroy === true) return super.handleDataError(error, options);
    if (this.broken) return;
    this.broken = true;
    this.refuse(error);
    // NestJS sends nothing more from here on.
    void this.inFlight.drained(LAST_ANSWERS_TIMEOUT_MS).then(() => super.handleDataError(error, options));
  }

  private refuse(error: unknown): void {
    const { err, ...answer } = refusal(refusalOf(error));
    if (err !== undefined) this.onRefused(err);
    this.sendMessage({ ...answer, err });
  }
}

function refusalOf(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new ServiceError('MALFORMED_MESSAGE', `The frame is not readable; expected <length>#<JSON>: ${reason}`);
}

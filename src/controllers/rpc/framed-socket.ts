import type { Socket } from 'node:net';
import { JsonSocket } from '@nestjs/microservices';
import { ServiceError } from '../../services/errors/service-error.js';
import { decodePacket, tooLarge } from './decode-packet.js';
import { refusal } from './rpc-answer.js';

/** A frame may stand in the buffer together with the beginning of the next one. */
const READ_AHEAD = 128 * 1024;

/**
 * The frames of NestJS' TCP transport, `<length in UTF-16 units>#<JSON>`, with a limit on their size. A caller whose frame
 * cannot be read is told why, without an `id` because none could be read, and its connection ends: where its next frame
 * begins is not known.
 */
export class FramedSocket extends JsonSocket {
  private broken = false;

  constructor(
    socket: Socket,
    private readonly maxKb: number,
  ) {
    super(socket, { maxBufferSize: maxKb * 1024 + READ_AHEAD });
  }

  protected override handleData(data: Buffer | string): void {
    if (!this.broken) super.handleData(data);
  }

  protected override emitMessage(text: string): void {
    this.socket.emit('message', decodePacket(Buffer.from(text), this.maxKb));
  }

  protected override handleDataError(error: unknown, options?: { destroy?: boolean }): void {
    if (!this.broken && options?.destroy !== true) this.sendMessage(refusal(this.refusalOf(error)));
    this.broken = true;
    super.handleDataError(error, options);
  }

  /** What the frames themselves are refused for, NestJS tells by the name of the class. */
  private refusalOf(error: unknown): ServiceError {
    if (error instanceof ServiceError) return error;
    if (error instanceof Error && error.constructor.name === 'MaxPacketLengthExceededException')
      return tooLarge(this.maxKb);
    return new ServiceError(
      'MALFORMED_MESSAGE',
      `The frame is not readable; expected <length>#<JSON>: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

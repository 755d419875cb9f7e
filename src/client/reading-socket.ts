import type { Socket } from 'node:net';
import { JsonSocket } from '@nestjs/microservices';

/**
 * The frames of NestJS' TCP transport, but answers are read even while requests wait to be sent. NestJS' own socket
 * stops reading then. If both ends do so, each waits for the other to read, until the connection is given up.
 */
export class ReadingSocket extends JsonSocket {
  constructor(socket: Socket) {
    super(socket);
    // Otherwise a request would wait for the acknowledgement of the previous one: up to 40 ms.
    socket.setNoDelay(true);
  }

  protected override handleSend(message: unknown, callback?: (error?: unknown) => void): void {
    const text = JSON.stringify(message);
    this.socket.write(`${text.length}#${text}`, 'utf-8', callback);
  }
}

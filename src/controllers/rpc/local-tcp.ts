import type { Socket } from 'node:net';
import { JsonSocket, Transport, type TcpOptions } from '@nestjs/microservices';
import type { Settings } from '../../services/config/settings.js';
import { requestIdFrom, runInRequest } from '../../services/observability/request-context.js';
import { runSteps } from '../../services/steps/steps.js';
import { stringifyJson } from '../../services/values/exact-json.js';
import { decodePacket } from './decode-packet.js';
import { refusal } from './rpc-answer.js';

/** One read adds at most this many bytes after the end of a frame. */
const READ_AHEAD = 64 * 1024;

/**
 * NestJS' own TCP server, for local use without a broker. It listens on this machine only, and the settings refuse it
 * in production: nothing protects it from hostile callers, and a stop closes connections without waiting for answers.
 */
export function localTcp({ rpcTcp, intake }: Pick<Settings, 'rpcTcp' | 'intake'>): TcpOptions {
  /** NestJS' frames, with numbers that keep all their digits. The key of the packet becomes metadata of its context. */
  class ExactJsonSocket extends JsonSocket {
    constructor(socket: Socket) {
      super(socket, { maxBufferSize: intake.maxBodyKb * 1024 + READ_AHEAD });
      // Otherwise an answer would wait for the acknowledgement of the previous one: up to 40 ms.
      socket.setNoDelay(true);
    }

    protected override emitMessage(text: string): void {
      // NestJS reads on after a frame that cannot be read: a web page could hide a request there.
      if (!this.socket.writable) return;
      try {
        const { apiKey, ...packet } = runSteps(decodePacket(Buffer.from(text), intake));
        runInRequest(requestIdFrom(packet.id), () => this.socket.emit('message', { ...packet, metadata: { apiKey } }));
      } catch (error) {
        this.sendMessage(refusal(error));
        this.end();
      }
    }

    /**
     * NestJS stops reading while answers wait to be read. Its client does the same while requests wait, and then both
     * would wait for ever.
     */
    protected override handleSend(message: unknown, callback?: (error?: unknown) => void): void {
      const text = stringifyJson(message);
      this.socket.write(`${text.length}#${text}`, 'utf-8', callback);
    }
  }
  return { transport: Transport.TCP, options: { ...rpcTcp, socketClass: ExactJsonSocket } };
}

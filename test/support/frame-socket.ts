import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A caller over TCP that knows nothing but the documented frames. */
export class FrameSocket {
  private text = '';

  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (data: string) => (this.text += data));
    socket.on('error', () => undefined);
  }

  static async open(port: number): Promise<FrameSocket> {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    return new FrameSocket(socket);
  }

  write(message: unknown): void {
    const text = JSON.stringify(message);
    this.socket.write(`${text.length}#${text}`);
  }

  /** The next answer. Rejects when the connection ends before it is whole. */
  async next(): Promise<Record<string, unknown>> {
    for (;;) {
      const answer = this.take();
      if (answer !== undefined) return answer;
      await this.more();
    }
  }

  private take(): Record<string, unknown> | undefined {
    const [, length, rest = ''] = /^(\d+)#(.*)$/s.exec(this.text) ?? [];
    if (length === undefined || rest.length < Number(length)) return undefined;
    this.text = rest.slice(Number(length));
    return JSON.parse(rest.slice(0, Number(length))) as Record<string, unknown>;
  }

  private more(): Promise<void> {
    const { socket } = this;
    if (socket.closed) return Promise.reject(new Error('The connection ended without an answer'));
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        socket.off('data', more);
        socket.off('close', ended);
      };
      const more = (): void => (settle(), resolve());
      const ended = (): void => (settle(), reject(new Error('The connection ended without an answer')));
      socket.on('data', more);
      socket.on('close', ended);
    });
  }
}

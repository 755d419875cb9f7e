import { freePort } from './free-port.js';
import { Program } from './program.js';
import { programOf, type DatabaseSettings } from './settings.js';
import type { StateDto, UserReservationDto } from '../producer/reservation.dto.js';

/** The process with the REST API, and its callers' side. */
export class Producer {
  private constructor(
    private readonly program: Program,
    readonly url: string,
  ) {}

  static async start(database: DatabaseSettings, redisUrl: string): Promise<Producer> {
    const port = await freePort();
    const { user, password, host, port: databasePort, database: name } = database;
    const program = new Program('producer', programOf('producer/main'), {
      PORT: String(port),
      DATABASE_URL: `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${databasePort}/${name}`,
      REDIS_URL: redisUrl,
    });
    const producer = new Producer(program, `http://127.0.0.1:${port}`);
    await program.ready(() => producer.state());
    return producer;
  }

  /** Answers the HTTP status. */
  async ask(eventId: number, userId: number, requestId: string): Promise<number> {
    const response = await fetch(`${this.url}/reservation/${eventId}/${userId}`, {
      method: 'POST',
      headers: { 'idempotency-key': requestId },
    });
    await response.arrayBuffer();
    return response.status;
  }

  state(): Promise<StateDto> {
    return this.read('reservation');
  }

  ofUser(eventId: number, userId: number): Promise<UserReservationDto> {
    return this.read(`reservation/${eventId}/${userId}`);
  }

  stop(): Promise<void> {
    return this.program.stop();
  }

  private async read<Answer>(path: string): Promise<Answer> {
    const response = await fetch(`${this.url}/${path}`);
    if (!response.ok) throw new Error(`GET ${path} is answered with ${response.status}: ${await response.text()}`);
    return (await response.json()) as Answer;
  }
}

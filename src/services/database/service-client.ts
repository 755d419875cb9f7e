import pg from 'pg';
import { noteConnectFailure } from './classify-failure.js';

/** As node-postgres calls it: with an error, or with null and the client. */
type Connected = (error: Error | null, client: pg.Client) => void;

/** A connection of the service. What it meets before it is ready is told apart from what its statements meet. */
export class ServiceClient extends pg.Client {
  override connect(): Promise<pg.Client>;
  override connect(callback: ((error: Error) => void) | ((error: null, client: pg.Client) => void)): void;
  override connect(callback?: unknown): Promise<pg.Client> | void {
    if (callback === undefined) return super.connect().catch(throwNoted);
    super.connect((error: Error | null, client?: pg.Client) => {
      if (error !== null) noteConnectFailure(error);
      (callback as Connected)(error, client ?? this);
    });
  }
}

function throwNoted(error: Error): never {
  noteConnectFailure(error);
  throw error;
}

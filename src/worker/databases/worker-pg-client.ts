import pg from 'pg';
import { noteConnectFailure } from './database-fault.js';

/** node-postgres calls it with an error, or with null and the client. */
type Connected = (error: Error | null, client: pg.Client) => void;

/** A connection of a worker. Errors that it meets before it is ready are noted as faults of the database. */
export class WorkerPgClient extends pg.Client {
  override connect(): Promise<pg.Client>;
  override connect(callback: ((error: Error) => void) | ((error: null, client: pg.Client) => void)): void;
  override connect(callback?: unknown): Promise<pg.Client> | void {
    const opened = this.open();
    if (callback === undefined) return opened;
    opened.then(
      () => (callback as Connected)(null, this),
      (error: Error) => (callback as Connected)(error, this),
    );
  }

  private async open(): Promise<pg.Client> {
    try {
      await super.connect();
      return this;
    } catch (error) {
      noteConnectFailure(error as Error);
      throw error;
    }
  }
}

import pg from 'pg';
import { noteConnectFailure } from './classify-failure.js';
import { pinSession, type SessionTimeouts } from './session.sql.js';

/** As node-postgres calls it: with an error, or with null and the client. */
type Connected = (error: Error | null, client: pg.Client) => void;

/**
 * A connection of the service. Its settings are those that the code relies on, whatever the role or the database would set. What it
 * meets before it is ready is told apart from what its statements meet.
 */
export class ServiceClient extends pg.Client {
  private readonly timeouts: SessionTimeouts;

  constructor(config: pg.ClientConfig) {
    super(config);
    this.timeouts = {
      statementTimeoutMs: Number(config.statement_timeout) || 0,
      lockTimeoutMs: config.lock_timeout ?? 0,
    };
  }

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
    // A connection that breaks meanwhile reports it through the statement as well; nobody else listens yet.
    const ignoreReportedError = (): void => undefined;
    this.on('error', ignoreReportedError);
    try {
      await super.connect();
      await this.pin();
      return this;
    } catch (error) {
      noteConnectFailure(error as Error);
      throw error;
    } finally {
      // After whoever connects has had the time to listen.
      setImmediate(() => this.off('error', ignoreReportedError));
    }
  }

  private async pin(): Promise<void> {
    try {
      await this.query(pinSession(this.timeouts));
    } catch (error) {
      // The pool forgets a client that did not connect. Its own failure to end says nothing more.
      void this.end().catch(() => undefined);
      throw error;
    }
  }
}

import pg from 'pg';
import { noteConnectFailure } from './classify-failure.js';
import { pinSession, type SessionTimeouts } from './session.sql.js';

/** node-postgres calls it with an error, or with null and the client. */
type Connected = (error: Error | null, client: pg.Client) => void;

/**
 * A connection of the service. It pins the settings that the code relies on, because the role or the database may set
 * others. Errors that it meets before it is ready are kept apart from errors of its statements.
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
    // If the connection breaks meanwhile, the statement reports it too. Nobody else listens yet.
    const ignoreReportedError = (): void => undefined;
    this.on('error', ignoreReportedError);
    try {
      await super.connect();
      await this.query(pinSession(this.timeouts));
      return this;
    } catch (error) {
      noteConnectFailure(error as Error);
      // Neither the driver nor the pool does that, and an open socket keeps a command from ending.
      void this.end().catch(() => undefined);
      throw error;
    } finally {
      // By then the caller that connects has had time to listen.
      setImmediate(() => this.off('error', ignoreReportedError));
    }
  }
}

import type { ClientBase, QueryConfig, QueryResult } from 'pg';
import { sqlStateOf } from '../../src/services/database/sql-state.js';

/**
 * What goes wrong with one statement. `error`: PostgreSQL raises the SQLSTATE in its place. `lost`: the connection breaks
 * before it is sent. `unanswered`: it is executed, and the connection breaks before its answer comes.
 */
export type Fault = { kind: 'error'; sqlState: string } | { kind: 'lost' } | { kind: 'unanswered' };

type Send = (statement: QueryConfig | string) => Promise<QueryResult>;

/** Counts the statements of the connections that it watches, and meddles with one of them. */
export class Saboteur {
  /** Texts of what was sent since `arm`. */
  readonly sent: string[] = [];
  /** SQLSTATEs that were answered since `arm`; of a broken connection, its message. */
  readonly met: string[] = [];
  private readonly watched = new WeakSet<ClientBase>();
  private strikesAt: number | ((sent: readonly string[]) => boolean) = -1;
  private fault: Fault | undefined;
  private counting = false;

  /**
   * Counts from 0 again. Without a fault it only looks.
   *
   * @param at the number of a statement, or what says of the statements so far that the last one is it
   */
  arm(fault?: Fault, at: number | ((sent: readonly string[]) => boolean) = -1): void {
    this.sent.length = 0;
    this.met.length = 0;
    this.fault = fault;
    this.strikesAt = at;
    this.counting = true;
  }

  disarm(): void {
    this.counting = false;
  }

  /** Statements sent with a callback, as `Pool.query` does, are left alone. */
  watch(client: ClientBase): void {
    if (this.watched.has(client)) return;
    this.watched.add(client);
    const send = client.query.bind(client) as (...args: unknown[]) => unknown;
    const watched = (...args: unknown[]): unknown =>
      this.counting && args.length === 1
        ? this.send(client, send as Send, args[0] as QueryConfig | string)
        : send(...args);
    client.query = watched as ClientBase['query'];
  }

  private strikes(at: number): boolean {
    return typeof this.strikesAt === 'number' ? at === this.strikesAt : this.strikesAt(this.sent);
  }

  private async send(client: ClientBase, send: Send, statement: QueryConfig | string): Promise<QueryResult> {
    const at = this.sent.push(typeof statement === 'string' ? statement : statement.text) - 1;
    try {
      // Answers have to reach their callers in the order in which they come, so nothing more may stand in between.
      return await (this.strikes(at) && this.fault !== undefined
        ? strike(this.fault, client, send, statement)
        : send(statement));
    } catch (error) {
      this.met.push(sqlStateOf(error) ?? String(error));
      throw error;
    }
  }
}

function strike(fault: Fault, client: ClientBase, send: Send, statement: QueryConfig | string): Promise<QueryResult> {
  switch (fault.kind) {
    case 'error':
      return send(`do $$ begin raise exception 'injected' using errcode = '${fault.sqlState}'; end $$`);
    case 'lost':
      breakConnection(client);
      return send(statement);
    case 'unanswered':
      return send(statement).then(() => {
        breakConnection(client);
        throw new Error('Connection terminated unexpectedly');
      });
    default:
      return fault satisfies never;
  }
}

function breakConnection(client: ClientBase): void {
  const { connection } = client as unknown as { connection: { stream: { destroy(): void } } };
  connection.stream.destroy();
}

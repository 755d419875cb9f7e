import pg from 'pg';
import { QueryFailedError } from 'typeorm';

/**
 * What an error of PostgreSQL means for the operation that met it.
 *
 * - `transient`: says nothing about the operation; the chunk is tried again.
 * - `systemic`: the statement as such cannot run (no such column, no privilege): true for its whole group.
 * - `operation`: the row's own fault.
 *
 * Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export type ErrorKind = 'transient' | 'systemic' | 'operation';

const TRANSIENT = [
  '08', // connection exception
  '40', // transaction rollback: serialization failure, deadlock
  '53', // insufficient resources: disk full, out of memory, too many connections
  '58', // system error
  '55P03', // lock not available
  '57014', // query canceled: statement timeout
  '57P', // operator intervention: shutdown, crash, cannot connect now
  '25006', // read only transaction: a failover is under way
  '25P02', // in failed transaction: an earlier statement failed, this one was not tried
  '25P03', // idle in transaction timeout
  '26000', // no such prepared statement: the one that should have prepared it failed
  '42P05', // such a prepared statement exists: so did the one that should have removed it
];
const SYSTEMIC = ['42', '0A000', '28', '3D', '3F'];

/** The fields of node-postgres' DatabaseError that the service reads. */
export interface DatabaseErrorFields {
  code?: string;
  message: string;
  detail?: string;
  constraint?: string;
  column?: string;
  table?: string;
  schema?: string;
}

/** An error without a SQLSTATE comes from the connection or the driver, never from a row. */
export function errorKind(error: unknown): ErrorKind {
  const state = sqlStateOf(error);
  if (state === undefined) return 'transient';
  if (TRANSIENT.some((prefix) => state.startsWith(prefix))) return 'transient';
  if (SYSTEMIC.some((prefix) => state.startsWith(prefix))) return 'systemic';
  return 'operation';
}

/** Undefined for errors that PostgreSQL did not send: `EPIPE` has five capitals too. */
export function sqlStateOf(error: unknown): string | undefined {
  const sent: unknown = error instanceof QueryFailedError ? error.driverError : error;
  return sent instanceof pg.DatabaseError ? sent.code : undefined;
}

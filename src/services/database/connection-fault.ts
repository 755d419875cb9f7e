import { sqlStateOf } from './sql-state.js';

const NETWORK_CODES = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
];
/** What node-postgres says without a code of any kind. */
const DRIVER_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;
/** Connection exception; insufficient resources; operator intervention (shutdown, crash, starting up), but not a cancelled query; a failover. */
const SERVER_STATES = /^(08|53|57P|25006)/;

/** True when the server could not be reached, or ended the connection: nothing that a statement is to blame for. */
export function isConnectionFault(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const state = sqlStateOf(error);
  if (state !== undefined) return SERVER_STATES.test(state);
  if ('code' in error && NETWORK_CODES.includes(String(error.code))) return true;
  return DRIVER_MESSAGES.test(error.message);
}

import type { Settings } from '../services/config/settings.js';
import { InvalidSettingsError } from '../services/config/invalid-settings.error.js';
import { MigrationFailedError } from '../services/database/migration-failed.error.js';
import { SQL_STATES, sqlStateOf } from '../services/database/sql-state.js';
import { messageOf } from '../services/errors/message-of.js';
import { RefusedByBrokerError } from '../services/rabbitmq/refused-by-broker.error.js';
import { databaseHint, databaseRefusal } from '../services/tls/tls-refusal.js';
import { listenedPorts } from './listened-ports.js';
import { StartError } from './start-error.js';

/** Returns the failure as a `StartError` if settings or surroundings can cure it. Otherwise returns it unchanged. */
export function explainStartFailure(error: unknown, settings: Settings): unknown {
  if (!(error instanceof Error) || error instanceof StartError) return error;
  const reason = reasonOf(error, settings);
  return reason === undefined ? error : new StartError(reason, { cause: error });
}

function reasonOf(error: Error, settings: Settings): string | undefined {
  if (isListenError(error)) {
    const place = listenedPorts(settings).find(({ port }) => port === error.port);
    return place && portReason(error, place);
  }
  if (error instanceof MigrationFailedError) return capital(error.message);
  if (error instanceof RefusedByBrokerError || error instanceof InvalidSettingsError) return error.message;
  return sqlStateOf(error) === undefined ? undefined : databaseReason(error, settings.database);
}

interface ListenError extends Error {
  code: string;
  port: number;
}

function isListenError(error: Error): error is ListenError {
  return 'syscall' in error && error.syscall === 'listen' && 'port' in error;
}

/** Why the service cannot listen on a port. */
export function portReason(
  error: NodeJS.ErrnoException,
  { host, port, portVariable, hostVariable }: ReturnType<typeof listenedPorts>[number],
): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${port} is in use on ${host}: set ${portVariable} to a free one, or stop the program that listens there`;
    case 'EACCES':
      return `This user may not listen on port ${port}: set ${portVariable} to a port above 1023`;
    default:
      return `Cannot listen on ${host}:${port} (${messageOf(error)}): check ${hostVariable === undefined ? '' : `${hostVariable} and `}${portVariable}`;
  }
}

/** Why a database cannot be used. */
export function databaseReason(
  error: Error,
  { host, port, name, username, migration, ssl }: Settings['database'],
): string {
  const variables =
    username === migration?.username ? 'DB_MIGRATION_USERNAME, DB_MIGRATION_PASSWORD' : 'DB_USERNAME, DB_PASSWORD';
  const server = `PostgreSQL on ${host}:${port}`;
  if (isRefusedByPooler(error)) {
    return `A connection pooler on ${host}:${port} refuses the connection (${error.message}): let it ignore these settings (docs/postgresql.md), or set DB_HOST and DB_PORT to PostgreSQL itself`;
  }
  const refusal = databaseRefusal(error);
  if (refusal !== undefined) return `${server} ${refusal}`;
  // PostgreSQL sends this if `clientcert` is set in pg_hba.conf.
  if (/client certificate/.test(error.message)) {
    return `${server} requires a client certificate (${error.message}): check DB_SSL_CERT and DB_SSL_KEY`;
  }
  switch (sqlStateOf(error) ?? stateOfDriver(error)) {
    case SQL_STATES.invalidPassword:
    case SQL_STATES.invalidAuthorization:
      return `${server} refuses the user "${username}" (${error.message}): check ${variables} and DB_SSL`;
    case SQL_STATES.invalidCatalogName:
      return `${server} has no database "${name}": create it, or set DB_NAME to another one`;
    case SQL_STATES.insufficientPrivilege:
      return `${server} does not give the user "${username}" enough rights in the database "${name}" (${error.message}): grant them, or check ${variables}`;
    case SQL_STATES.readOnlyTransaction:
      return `${server} accepts no writes (${error.message}): it is probably a standby; set DB_HOST to the primary`;
    case undefined:
      return `${server} does not answer (${messageOf(error)}${ssl.mode === 'disable' ? '' : databaseHint(error)}): check DB_HOST, DB_PORT and DB_SSL, and that it runs`;
    default:
      return `${server} cannot be used (${error.message})`;
  }
}

/** PgBouncer refuses settings with a connection, unless it is configured to ignore them. */
export function isRefusedByPooler(error: Error): boolean {
  return sqlStateOf(error)?.startsWith('08') === true && error.message.startsWith('unsupported startup parameter');
}

/** If there is no password to send, the driver gives up before the server can refuse. */
function stateOfDriver(error: Error): string | undefined {
  return error.message.startsWith('SASL: ') ? SQL_STATES.invalidPassword : undefined;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

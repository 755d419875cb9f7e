import type { DataSource } from 'typeorm';
import { v4 as uuid } from 'uuid';
import type { Settings } from '../services/config/settings.js';
import { migrate } from '../services/database/migrate.js';
import { selectMissingRights } from '../services/database/runtime-rights.sql.js';
import { readSchemaState } from '../services/database/schema-state.js';
import { readServerVersion } from '../services/database/server-version.js';
import {
  markSession,
  selectDatabaseFacts,
  type DatabaseFacts,
  type SeenMark,
} from '../services/database/session.sql.js';
import { awaitDatabase, type Waiting } from './await-database.js';
import { describeDatabase } from './describe-database.js';
import { portReason } from './explain-start-failure.js';
import { listenedPorts, tryPort } from './listened-ports.js';
import { StartError } from './start-error.js';

/** The first version with multiranges. */
const OLDEST_POSTGRES = 14;

/**
 * Checks before anything is started. Otherwise a process that cannot listen would take work first.
 *
 * @throws StartError
 */
export async function checkPorts(settings: Settings): Promise<void> {
  for (const place of listenedPorts(settings)) {
    await tryPort(place).catch((error: Error) => {
      throw new StartError(portReason(error, place), { cause: error });
    });
  }
}

/**
 * Checks whether the database accepts our login, is new enough, and has the schema for which this version was written.
 * Runs the migrations that are missing, if the settings say so: a role without the right to migrate may run the service
 * when none is missing.
 *
 * @returns warnings about what cannot be promised on this database
 * @throws StartError
 */
export async function prepareDatabase(
  settings: Settings,
  waiting: Waiting,
  log: (line: string) => void = () => undefined,
): Promise<string[]> {
  const dataSource = await openDatabase({ ...settings, database: { ...settings.database, poolSize: 2 } }, waiting);
  try {
    await refuseTransactionPooling(dataSource, settings);
    const { missing } = await readSchemaState(dataSource);
    if (missing.length > 0) {
      if (!settings.database.runMigrations) throw lacksMigrations(missing, settings);
      await migrate(settings, log);
    }
    await refuseTooFewRights(dataSource, settings);
    const [facts] = await dataSource.query<DatabaseFacts[]>(selectDatabaseFacts().text);
    return describeDatabase(facts!, settings);
  } finally {
    await dataSource.destroy();
  }
}

function lacksMigrations(missing: readonly string[], settings: Settings): StartError {
  return new StartError(
    `${placeOf(settings)} lacks migrations (${missing.join(', ')}): run \`node dist/migrate.js\` with the same settings first`,
  );
}

/**
 * A connection to a database that this version can work with. Its schema may still lack migrations.
 *
 * @throws StartError
 */
export async function openDatabase(settings: Settings, waiting: Waiting): Promise<DataSource> {
  const dataSource = await awaitDatabase(settings, waiting);
  try {
    await refuseOldServer(dataSource, settings);
    await refuseNewerSchema(dataSource, settings);
    return dataSource;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}

/**
 * A pooler in transaction mode gives each transaction any of its sessions. Then the settings of a session, its prepared
 * statements and what it listens to belong to nobody. It is found by a value that one connection sets and another sees.
 */
async function refuseTransactionPooling(dataSource: DataSource, { database: { host, port } }: Settings): Promise<void> {
  const [one, other] = [dataSource.createQueryRunner(), dataSource.createQueryRunner()];
  try {
    await Promise.all([one.connect(), other.connect()]);
    const mark = uuid();
    const { set, read } = markSession(mark);
    await one.query(set.text, set.values);
    const [[seenByOther], [seenByOne]] = [
      (await other.query(read.text)) as SeenMark[],
      (await one.query(read.text)) as SeenMark[],
    ];
    if (seenByOther?.mark !== mark && seenByOne?.mark === mark) return;
  } finally {
    await Promise.all([one.release(), other.release()]);
  }
  throw new StartError(
    `A connection pooler in transaction mode is on ${host}:${port}: the service needs sessions of its own; set ` +
      'pool_mode = session for this database, or connect to PostgreSQL itself (docs/postgresql.md)',
  );
}

async function refuseTooFewRights(dataSource: DataSource, settings: Settings): Promise<void> {
  const { text, values } = selectMissingRights();
  const lacking = await dataSource.query<{ right: string }[]>(text, values);
  if (lacking.length === 0) return;
  throw new StartError(
    `${placeOf(settings)} does not grant the user "${settings.database.username}" what the service needs ` +
      `(${lacking.map(({ right }) => right).join(', ')}): run \`node dist/migrate.js\` with this DB_USERNAME and a ` +
      'DB_MIGRATION_USERNAME, or scripts/roles.sql if these roles do not exist yet',
  );
}

async function refuseOldServer(dataSource: DataSource, { database: { host, port } }: Settings): Promise<void> {
  const { major, text } = await readServerVersion(dataSource);
  if (major >= OLDEST_POSTGRES) return;
  throw new StartError(
    `PostgreSQL on ${host}:${port} is version ${text}: the service needs ${OLDEST_POSTGRES} or newer; upgrade the server`,
  );
}

async function refuseNewerSchema(dataSource: DataSource, settings: Settings): Promise<void> {
  const { unknown } = await readSchemaState(dataSource);
  if (unknown.length === 0) return;
  throw new StartError(
    `${placeOf(settings)} was migrated by a newer version of the service (${unknown.join(', ')}): start that version, ` +
      'or restore the database as it was before',
  );
}

const placeOf = ({ database: { host, port, name } }: Settings): string => `The database "${name}" on ${host}:${port}`;

import pg from 'pg';
import type { PostgresConnection } from '../support/services/postgres.js';
import { SerialOracle } from '../support/serial-oracle.js';
import { asAdministrator, clientOptions, type DatabaseConnection } from '../support/test-databases.js';
import { uniqueName } from '../support/unique-name.js';
import type { Profile } from './profile.js';

/** Where a run may make databases: whatever it leaves behind is found by the prefix. */
export interface Server {
  postgres: PostgresConnection;
  prefix: string;
}

/** What all profiles use. The function makes the rows of a start: any rows will do, those that fail are left out. */
const SHARED = `
  create schema shared;
  create extension citext schema shared;
  create extension btree_gist schema shared;
  create collation shared.case_insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  create type shared.mood as enum ('good', 'bad');
  create domain shared.lower_name as shared.citext check (value <> '');
  create function shared.try_all(statements text[]) returns void language plpgsql as $$
    declare statement text;
    begin
      set constraints all immediate;
      foreach statement in array statements loop
        begin execute statement; exception when others then null; end;
      end loop;
    end $$;
`;

/** To make and drop a database takes as long as a hundred sequences; the next profile gets a new schema instead. */
const FRESH_SCHEMA = 'drop schema public cascade; create schema public;';

/** A database for one profile after the other. Whoever opened the run drops it. */
export async function createTruthDatabase({ postgres, prefix }: Server): Promise<DatabaseConnection> {
  const connection = { ...postgres, database: uniqueName(prefix) };
  await asAdministrator(postgres, (administrator) =>
    administrator.query(`create database ${connection.database} template template0`),
  );
  await furnish(connection);
  return connection;
}

/** Makes what all profiles use, in a database that has nothing of it. */
export async function furnish(connection: DatabaseConnection): Promise<void> {
  const client = new pg.Client(clientOptions(connection));
  await client.connect();
  try {
    await client.query(SHARED);
  } finally {
    await client.end();
  }
}

/** Runs `work` with the profile's tables, and nothing else, in the database. */
export async function withProfile<T>(
  connection: DatabaseConnection,
  { ddl, firstSequenceValue }: Profile,
  work: (oracle: SerialOracle) => Promise<T>,
): Promise<T> {
  const options = { firstSequenceValue, searchPath: 'public,shared' };
  const oracle = await SerialOracle.open({ connection }, `${FRESH_SCHEMA} ${ddl}`, options);
  try {
    return await work(oracle);
  } finally {
    await oracle.close();
  }
}

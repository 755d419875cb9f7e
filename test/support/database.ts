import pg from 'pg';
import { inject } from 'vitest';
import { asAdministrator, clientOptions, databaseEnvironment, type DatabaseConnection } from './test-databases.js';
import type { TestEnvironment } from './test-settings.js';
import { uniqueName } from './unique-name.js';

export interface TestDatabase {
  name: string;
  connection: DatabaseConnection;
  /** The variables that lead the service to it, for `testSettings`. */
  environment: TestEnvironment;
  /** A pool of the test's own, for looking at what the service did. */
  client: pg.Pool;
  /** Ends the pool and drops the database, connections of others included. */
  drop(): Promise<void>;
}

/**
 * A fresh database with the service's migrations applied, copied from this run's template; with `migrated: false` an
 * empty one. Drop it in `afterAll`; what a test forgets goes at the end of the run, what a run leaves behind that died,
 * at the next run.
 */
export async function createTestDatabase({ migrated = true } = {}): Promise<TestDatabase> {
  const services = inject('services');
  if (!services) {
    throw new Error(
      'Unit tests have no PostgreSQL: a test that needs it belongs in another folder, see CONTRIBUTING.md',
    );
  }
  const { postgres, databases } = services;
  const name = uniqueName(databases.run);
  const template = migrated ? databases.template : 'template0';
  await asAdministrator(postgres, (administrator) =>
    administrator.query(`create database ${name} template ${template}`),
  );
  const connection = { ...postgres, database: name };
  const client = new pg.Pool({ ...clientOptions(connection), max: 5 });
  // An idle connection that a test breaks on purpose is no failure of the test.
  client.on('error', () => undefined);
  return {
    name,
    connection,
    environment: databaseEnvironment(connection),
    client,
    async drop() {
      await client.end();
      await asAdministrator(postgres, (administrator) =>
        administrator.query(`drop database if exists ${name} with (force)`),
      );
    },
  };
}

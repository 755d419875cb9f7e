import type { TestProject } from 'vitest/node';
import { loadSettings } from '../../src/services/config/load-settings.js';
import { migrate } from '../../src/services/database/migrate.js';
import { startServices, type ServiceConnections } from './services.js';
import type { PostgresConnection } from './services/postgres.js';
import { asAdministrator, databaseEnvironment, openTestDatabases, type TestDatabases } from './test-databases.js';

export interface ProvidedServices extends ServiceConnections {
  databases: Pick<TestDatabases, 'run'> & {
    /** Has the service's migrations applied; nobody connects to it, so that it can be copied. */
    template: string;
  };
}

declare module 'vitest' {
  interface ProvidedContext {
    /** Absent in the project `unit`. */
    services: ProvidedServices | undefined;
  }
}

/**
 * Finds or starts PostgreSQL, RabbitMQ and Redis once for all projects of a run that ask for them, and stops what it started.
 * What the run is against is the first thing that it prints and the last.
 */
export default async function setUp(project: TestProject): Promise<(() => Promise<void>) | void> {
  const started = project.vitest.projects.map((each) => each.getProvidedContext().services).find(Boolean);
  if (started !== undefined) {
    project.provide('services', started);
    return;
  }
  const services = await startServices(process.env, print);
  let databases: TestDatabases | undefined;
  const stop = async (): Promise<void> => {
    try {
      await databases?.close();
    } finally {
      await services.stop();
    }
  };
  try {
    const { postgres } = services.connections;
    databases = await openTestDatabases(postgres);
    const { run } = databases;
    const template = await createTemplate(postgres, run);
    project.provide('services', { ...services.connections, databases: { run, template } });
    print(services.description);
    return async () => {
      await stop();
      print(services.description);
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Once a run: to copy a database takes a fraction of the time that the migrations take. */
async function createTemplate(postgres: PostgresConnection, run: string): Promise<string> {
  const database = `${run}_template`;
  await asAdministrator(postgres, (administrator) => administrator.query(`create database ${database}`));
  await migrate(loadSettings(databaseEnvironment({ ...postgres, database })));
  return database;
}

function print(message: string): void {
  console.log(message);
}

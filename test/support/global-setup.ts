import type { TestProject } from 'vitest/node';
import { startServices, type ServiceConnections } from './services.js';
import { openTestDatabases, type TestDatabases } from './test-databases.js';

export interface ProvidedServices extends ServiceConnections {
  databases: Pick<TestDatabases, 'run' | 'template'>;
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
  try {
    const databases = await openTestDatabases(services.connections.postgres);
    const { run, template } = databases;
    project.provide('services', { ...services.connections, databases: { run, template } });
    print(services.description);
    return async () => {
      try {
        await databases.close();
      } finally {
        await services.stop();
      }
      print(services.description);
    };
  } catch (error) {
    await services.stop();
    throw error;
  }
}

function print(message: string): void {
  console.log(message);
}

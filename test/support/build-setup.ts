import type { TestProject } from 'vitest/node';
import { buildService } from './build-service.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of the projects that start the compiled service. */
    built: true | undefined;
  }
}

/** Compiles the service once for all projects of a run that start it. */
export default async function setUp(project: TestProject): Promise<void> {
  if (project.vitest.projects.some((each) => each.getProvidedContext().built)) return;
  await buildService();
  project.provide('built', true);
}

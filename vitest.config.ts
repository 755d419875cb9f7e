import { defineConfig } from 'vitest/config';

// Loading Nest costs most of a second, so the files of a project share their modules (`isolate: false`): tests leave no
// state behind in modules, environment variables or globals.
export default defineConfig({
  test: {
    teardownTimeout: 30_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/main.ts', 'src/migrate.ts', 'src/sql.ts', 'src/keys.ts', 'src/dead-letters.ts', 'src/demo/**'],
      reporter: ['text-summary', 'html', 'json-summary'],
    },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          isolate: false,
          testTimeout: 10_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/{integration,contract,e2e}/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          isolate: false,
          // One file after another: they share one server, and several measure time or count connections.
          fileParallelism: false,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          // After the unit tests, so that these do not take the processor from tests that wait for something.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

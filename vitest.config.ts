import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * Files of integration and e2e at the same time. They wait more than they compute, for servers and for processes, so two more
 * than the processors; a few only, since they share one server whose connections are limited.
 */
const FILES_AT_ONCE = Math.min(availableParallelism() + 2, 6);

const SERVICES = 'test/support/global-setup.ts';
const BUILD = 'test/support/build-setup.ts';
const EXAMPLES = 'test/support/examples-setup.ts';
const CHROMIUM = 'test/support/chromium-setup.ts';

// A file is in the project of its folder, see CONTRIBUTING.md. Groups run one after the other, in this order.
// Loading Nest costs most of a second, so the files of a project share their modules (`isolate: false`): tests leave no
// state behind in modules, environment variables or globals.
// Time-outs end what hangs. They judge no speed, so they are generous to a machine that does other things as well.
export default defineConfig({
  test: {
    teardownTimeout: 30_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: [
        'src/main.ts',
        'src/telemetry.ts',
        'src/migrate.ts',
        'src/sql.ts',
        'src/keys.ts',
        'src/parked-messages.ts',
        'src/notifications.ts',
        'src/operations.ts',
        'src/alerts.ts',
        'src/job.ts',
      ],
      reporter: ['text-summary', 'html', 'json-summary'],
    },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          isolate: false,
          maxWorkers: availableParallelism(),
          testTimeout: 10_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          globalSetup: [SERVICES, BUILD],
          isolate: false,
          maxWorkers: FILES_AT_ONCE,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/{integration,contract}/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          globalSetup: [SERVICES],
          isolate: false,
          maxWorkers: FILES_AT_ONCE,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'timing',
          include: ['test/timing/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          globalSetup: [SERVICES, BUILD],
          isolate: false,
          // They assert how soon something happens: nothing of the run is beside them.
          fileParallelism: false,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          // Left out by `npm test`: `.ci/run` runs it.
          name: 'programs',
          include: ['test/programs/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          globalSetup: [SERVICES, BUILD],
          isolate: false,
          fileParallelism: false,
          testTimeout: 90_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          // Left out by `npm test`: `.ci/run` runs it. The processes of examples need processors for themselves.
          name: 'examples',
          include: ['examples/*/test/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          globalSetup: [SERVICES, BUILD, EXAMPLES],
          isolate: false,
          fileParallelism: false,
          testTimeout: 90_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 6 },
        },
      },
      {
        test: {
          // The dashboard in Chromium. Left out by `npm test`, which needs no browser: `.ci/run` runs it.
          name: 'ui',
          include: ['test/ui/**/*.test.ts'],
          exclude: ['test/ui/timing/**'],
          setupFiles: ['test/support/setup.ts'],
          globalSetup: [SERVICES, BUILD, CHROMIUM],
          isolate: false,
          // Each file has a service and a browser of its own, and mostly waits for them.
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          // An assertion waits as long as a locator does. With the default of one second it judged the machine.
          expect: { poll: { timeout: 10_000 } },
          sequence: { groupOrder: 4 },
        },
      },
      {
        test: {
          // How soon the dashboard shows something: nothing of the run is beside it.
          name: 'ui-timing',
          include: ['test/ui/timing/**/*.test.ts'],
          setupFiles: ['test/support/setup.ts'],
          globalSetup: [SERVICES, BUILD, CHROMIUM],
          isolate: false,
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 10_000 } },
          sequence: { groupOrder: 5 },
        },
      },
    ],
  },
});

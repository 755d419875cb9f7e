// The layers of docs/architecture.md. Imports flow one way:
//
//   controllers → jobs → services → entities → interfaces
//   batch → interfaces        entities and all above them may use batch
//   client → interfaces
//   parts → interfaces        services and all above them may use parts
//   worker → parts, interfaces
//
// `test/unit/layers.test.ts` shows that each rule fires.

const PURE = '^src/(services/(planner|composer)|batch/composer)/';
const ROOT =
  '^src/(main|telemetry|migrate|sql|keys|parked-messages|notifications|operations|pauses|alerts|job|app\\.module)\\.ts$';
const EMBEDDED = '^src/services/database/embedded-postgres\\.ts$';
const npm = (...names) => `(^|/)node_modules/(@types/)?(${names.join('|')})(/|$)`;

/** Nothing in `folder` imports another part of `src` than itself and `allowed`. */
const layer = (folder, allowed, comment) => ({
  name: `layer-${folder}`,
  comment,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: [folder, ...allowed].map((part) => `^src/${part}/`) },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    layer('interfaces', [], 'The vocabulary imports nothing.'),
    layer('entities', ['batch', 'interfaces'], 'Entities map columns, and name what the engine puts into the schema.'),
    layer('batch', ['interfaces'], 'The engine knows nothing of the service that is built on it.'),
    layer('client', ['interfaces'], 'The client is published: it imports nothing of the server.'),
    layer('parts', ['interfaces'], 'Mail and other parts are published: they know nothing of those who use them.'),
    layer('worker', ['parts', 'interfaces'], 'The library of workers is published: it imports nothing of the server.'),
    layer('services', ['entities', 'batch', 'parts', 'interfaces'], 'Services know neither jobs nor transports.'),
    layer('jobs', ['services', 'entities', 'batch', 'parts', 'interfaces'], 'Jobs know no transport.'),
    layer(
      'controllers',
      ['jobs', 'services', 'entities', 'batch', 'parts', 'interfaces'],
      'Controllers translate, decide nothing.',
    ),
    {
      name: 'layer-ui',
      comment: 'The dashboard knows the service by its REST API: it shares the vocabulary, and nothing else.',
      severity: 'error',
      from: { path: '^ui/' },
      to: { path: '^(src|test|bench|demo)/', pathNot: '^src/interfaces/' },
    },
    {
      name: 'layer-demo',
      comment:
        'The demo is another service: it knows the client, the settings and how to start an embedded PostgreSQL.',
      severity: 'error',
      from: { path: '^demo/' },
      to: {
        path: '^(src|test|bench)/',
        pathNot: ['^src/client/index\\.ts$', '^src/services/config/', EMBEDDED, '^test/support/'],
      },
    },
    {
      name: 'layer-examples',
      comment:
        'An example is an application of somebody else: it knows what is published. Its tests may use the support of tests.',
      severity: 'error',
      from: { path: '^examples/([^/]+)/' },
      to: {
        path: '^(src|test|bench|demo|examples)/',
        pathNot: ['^src/(client|batch|batch/testing|parts|worker)/index\\.ts$', '^examples/$1/', '^test/support/'],
      },
    },
    {
      name: 'examples-need-no-tests',
      comment: 'What an application would copy from an example runs without the support of our tests.',
      severity: 'error',
      from: { path: '^examples/[^/]+/', pathNot: '^examples/[^/]+/test/' },
      to: { path: '^(test/|examples/[^/]+/test/)' },
    },
    {
      name: 'roots-are-not-imported',
      comment: 'Programs and their wiring stand above everything; only they and tests import one another.',
      severity: 'error',
      from: { path: '^src/', pathNot: [ROOT, '^src/bootstrap/'] },
      to: { path: [ROOT, '^src/bootstrap/'] },
    },
    {
      name: 'interfaces-import-no-package',
      comment: 'The vocabulary imports nothing, packages included.',
      severity: 'error',
      from: { path: '^src/interfaces/' },
      to: { pathNot: '^src/interfaces/' },
    },
    {
      name: 'pure-does-no-io',
      comment: 'Planner and composer are functions of their arguments: no driver, no framework, no file, no socket.',
      severity: 'error',
      from: { path: PURE },
      to: {
        path: [
          npm('pg', 'pg-[^/]+', 'typeorm', '@nestjs', 'amqplib', 'amqp-connection-manager', 'ioredis', 'pino', 'rxjs'),
          '^(node:)?(fs|net|tls|http|https|http2|dgram|dns|child_process|cluster|worker_threads|process|timers)(/|$)',
          '\\.(service|module|controller|entity|sql)\\.ts$',
        ],
      },
    },
    {
      name: 'no-cycle',
      comment: 'Two files that need one another are one thing or three. Types count.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-barrel',
      comment: 'Import the file that defines the thing; only what is published has an index.',
      severity: 'error',
      from: {},
      to: { path: '^src/.+/index\\.ts$', pathNot: '^src/(client|batch|batch/testing|parts|worker)/index\\.ts$' },
    },
    {
      name: 'test-kit-is-for-tests',
      comment: 'The test kit of jobs is published for tests. What runs in production does not need it.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/batch/testing/' },
      to: { path: '^src/batch/testing/' },
    },
    {
      name: 'src-does-not-import-programs',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|demo|examples|ui)/' },
    },
    {
      name: 'no-dev-dependency-in-src',
      comment: 'A package that the service needs at run time belongs in `dependencies`.',
      severity: 'error',
      from: { path: '^src/' },
      // These are loaded where somebody has installed them, see `optionalPackage`. Few need them.
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: npm('@aws-sdk', 'basic-ftp') },
    },
    {
      name: 'no-unlisted-package',
      comment: 'What is not in package.json is there by accident.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Type-only imports are imports too: a layer that names the types of a higher one depends on it.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.cjs', '.json', '.d.ts'],
    },
  },
};

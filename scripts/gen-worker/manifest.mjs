// The `package.json` of a new worker. The ranges are those of this project, with which the library is tested.
const DEPENDENCIES = [
  ...[
    '@nestjs/bullmq',
    '@nestjs/common',
    '@nestjs/core',
    'bullmq',
    'ioredis',
    'pg',
    'pino',
    'pino-pretty',
    'prom-client',
  ],
  ...['reflect-metadata', 'rxjs', 'typeorm', 'zod'],
];
const DEV_DEPENDENCIES = [
  ...['@eslint/js', '@types/node', 'eslint', 'eslint-config-prettier', 'prettier', 'typescript', 'typescript-eslint'],
  'vitest',
];

/**
 * @param name of the worker: `payment`
 * @param project the `package.json` of this project
 * @param tarball path of the library, from the folder of the worker
 */
export function manifestOf(name, project, tarball) {
  const known = { ...project.devDependencies, ...project.dependencies };
  const ranges = (names) => Object.fromEntries(names.map((each) => [each, known[each]]));
  return {
    name: `worker-${name}`,
    version: '0.1.0',
    description: `Works the jobs of the queue ${name}.`,
    private: true,
    type: 'module',
    engines: project.engines,
    scripts: {
      build: 'tsc -p tsconfig.build.json',
      prestart: 'npm run --silent build',
      start: 'exec node --enable-source-maps dist/main.js',
      enqueue: 'exec node --enable-source-maps dist/enqueue.js',
      test: 'vitest run',
      typecheck: 'tsc --noEmit',
      lint: 'prettier --check . && eslint --max-warnings 0 .',
      format: 'prettier --write .',
    },
    dependencies: { 'batch-service': `file:${tarball}`, ...ranges(DEPENDENCIES) },
    devDependencies: ranges(DEV_DEPENDENCIES),
    overrides: project.overrides,
    // Its script compiles a faster reader of messages, which is optional.
    allowScripts: { 'msgpackr-extract': false },
  };
}

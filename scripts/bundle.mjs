// Bundles each program of `dist/modules` into `dist`, with all that it loads in a few files beside it. Without bundles, two thirds of a
// start went into finding and reading some thousand files. The modules stay, because `batch-service/client` is one of them.
import { Buffer } from 'node:buffer';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { build } from 'esbuild';

const PROGRAMS = [
  'main',
  'telemetry',
  'migrate',
  'sql',
  'keys',
  'parked-messages',
  'notifications',
  'operations',
  'pauses',
  'alerts',
  'job',
];
/** They start threads from files, or read files, of their own folders. */
const LEFT_IN_THEIR_FOLDERS = ['pino', 'pino-pretty', 'swagger-ui-dist'];
/** NestJS loads them by their names. One copy of each must serve both. */
const SHARED_WITH_NESTJS = ['amqp-connection-manager', 'amqplib', 'class-transformer', 'class-validator', 'ioredis'];
/**
 * It has to run before the first decorator of any file. In a bundle its place depends on what else is bundled, while an import of
 * another file runs before the file that has it.
 */
const RUNS_FIRST = ['reflect-metadata'];
/** NestJS would load them for what the service does not use. */
const NOT_INSTALLED = ['@fastify/static', '@grpc/*', '@nats-io/*', '@nestjs/websockets', 'kafkajs', 'mqtt'];
/** Those who use it install it, see `optionalPackage`. */
const OPTIONAL = ['@aws-sdk/client-sesv2'];
const CHUNKS = 'chunks';

/**
 * The source maps know the files of packages, but not their lines: Node reads a whole map for the first error of its file, and with
 * those lines that took up to half a second.
 */
const filesOfPackages = {
  name: 'files-of-packages',
  setup: ({ onLoad }) =>
    onLoad({ filter: /node_modules.*\.[cm]?js$/ }, ({ path }) => {
      const map = Buffer.from(JSON.stringify({ version: 3, sources: [basename(path)], mappings: 'AAAA' }));
      const comment = `//# sourceMappingURL=data:application/json;base64,${map.toString('base64')}`;
      return { contents: `${readFileSync(path, 'utf8')}\n${comment}` };
    }),
};

/**
 * `@nestjs/typeorm` requires TypeORM at run time to look for two classes that TypeORM 1 does not have. So it would load a second copy of
 * TypeORM, file by file, which takes as much processor time as a fifth of a start.
 */
const oneTypeorm = {
  name: 'one-typeorm',
  setup: ({ onLoad }) =>
    onLoad({ filter: /@nestjs.typeorm.dist.common.typeorm-compat\.js$/ }, () => ({
      contents: 'export const Connection = undefined, AbstractRepository = undefined;',
    })),
};

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: PROGRAMS.map((program) => join(dist, 'modules', `${program}.js`)),
  outdir: dist,
  chunkNames: `${CHUNKS}/[name]-[hash]`,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  // Names of classes are data: NestJS shows them in errors, TypeORM records them as names of migrations.
  keepNames: true,
  sourcemap: true,
  sourcesContent: false,
  external: [...LEFT_IN_THEIR_FOLDERS, ...SHARED_WITH_NESTJS, ...RUNS_FIRST, ...NOT_INSTALLED, ...OPTIONAL],
  // CommonJS packages call `require`, which modules do not have.
  banner: { js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);" },
  plugins: [oneTypeorm, filesOfPackages],
  metafile: true,
  logLevel: 'warning',
});

// esbuild names each function again whenever it is made, closures of every request among them. Only names of classes and of functions
// that may be classes are data, and nearly all of them have their name already.
const NAME = '__defProp(target, "name", { value, configurable: true })';
const helpers = Object.keys(metafile.outputs).filter(
  (path) => path.endsWith('.js') && readFileSync(path, 'utf8').includes(NAME),
);
if (helpers.length !== 1) throw new Error(`The helper __name of esbuild is in ${helpers.length} files instead of one`);
for (const path of helpers) {
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replace(
      NAME,
      `target.prototype === undefined || target.name === value ? target : ${NAME}`,
    ),
  );
}

// Removes only what this build did not write, and only now: a process that has just been started may still be reading.
const written = new Set(Object.keys(metafile.outputs).map((path) => relative(join(dist, CHUNKS), join(root, path))));
for (const file of readdirSync(join(dist, CHUNKS))) if (!written.has(file)) rmSync(join(dist, CHUNKS, file));

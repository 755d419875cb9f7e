// `npm run pack:library`: makes batch-service-<version>.tgz, which another application installs to have `batch-service/client`,
// `batch-service/batch`, `batch-service/batch/testing` and `batch-service/worker`. It holds nothing of the server, and needs none of its packages. NestJS is a
// peer dependency, because an application must have one copy of it.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const PARTS = ['client', 'batch', 'worker', 'parts', 'interfaces'];
const DOCUMENTS = [
  ...['client', 'jobs', 'batch-guide', 'sql', 'wire-format', 'access', 'retry', 'overload', 'rabbitmq'].map(
    (name) => `docs/${name}.md`,
  ),
  ...['LICENSE', 'CHANGELOG.md'],
];
/** Small, and needed whatever is imported. */
const OWN = ['@opentelemetry/api', '@standard-schema/spec', 'uuid'];
const PEERS = ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs'];
/** An application installs those of the parts that it uses: docs/client.md, docs/jobs.md. */
const OPTIONAL_PEERS = [
  // The client, and the client over RabbitMQ.
  ...['@nestjs/microservices', 'amqp-connection-manager', 'amqplib'],
  // The batch engine, and its parts that read CSV, write CSV, validate by a class or copy rows.
  ...[
    '@nestjs/schedule',
    'cron',
    'pg',
    'csv-parse',
    'csv-stringify',
    'class-transformer',
    'class-validator',
    'pg-copy-streams',
  ],
  // Workers; `pg` too.
  ...['@nestjs/bullmq', 'bullmq', 'ioredis', 'pino', 'pino-pretty', 'prom-client', 'typeorm', 'zod'],
  // Parts; `zod` too.
  ...['nodemailer', 'mustache', '@aws-sdk/client-sesv2', '@aws-sdk/client-s3', 'basic-ftp'],
];

const root = resolve(import.meta.dirname, '..');
const service = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { name, version, license, type, engines, exports } = service;
const ranges = (names) =>
  Object.fromEntries(names.map((each) => [each, service.dependencies[each] ?? service.devDependencies[each]]));

const manifest = {
  name,
  version,
  description: 'Client, batch engine and workers of Batch Service for NestJS.',
  license,
  type,
  engines,
  exports,
  dependencies: ranges(OWN),
  peerDependencies: ranges([...PEERS, ...OPTIONAL_PEERS]),
  peerDependenciesMeta: Object.fromEntries(OPTIONAL_PEERS.map((each) => [each, { optional: true }])),
};

const stage = mkdtempSync(join(tmpdir(), 'batch-service-library-'));
try {
  for (const part of PARTS) {
    // The sources, to which maps would lead, are not in it.
    cpSync(join(root, 'dist/modules', part), join(stage, 'dist/modules', part), {
      recursive: true,
      filter: (path) => !path.endsWith('.map'),
    });
  }
  for (const document of DOCUMENTS) cpSync(join(root, document), join(stage, document));
  for (const document of DOCUMENTS) unlinkWhatIsMissing(join(stage, document));
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  const destination = resolve(process.argv[2] ?? '.');
  mkdirSync(destination, { recursive: true });
  const file = execFileSync('npm', ['pack', '--silent', '--pack-destination', destination], { cwd: stage });
  console.log(join(destination, file.toString().trim()));
} finally {
  rmSync(stage, { recursive: true });
}

/** Names of pages about the server stay as text, because a link to them would lead nowhere. */
function unlinkWhatIsMissing(document) {
  const text = readFileSync(document, 'utf8');
  const present = (path) => existsSync(join(dirname(document), path));
  const kept = text.replace(/\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)(?:#[^)\s]*)?\)/g, (link, name, path) =>
    present(path) ? link : name,
  );
  if (kept !== text) writeFileSync(document, kept);
}

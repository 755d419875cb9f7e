import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { NODE_FLAGS } from '../support/node-flags.js';
import { environmentSchema } from '../../src/services/config/environment-schema.js';
import { loadSettings } from '../../src/services/config/load-settings.js';

interface ComposeService {
  image?: string;
  build?: unknown;
  command?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean; start_period?: string };
  restart?: string;
  stop_grace_period?: string;
  volumes?: string[];
  ports?: string[];
  deploy?: { replicas: number };
}
interface ComposeFile {
  services: Record<string, ComposeService>;
  volumes: Record<string, unknown>;
}

const project = resolve(import.meta.dirname, '../..');
const text = readFileSync(resolve(project, 'docker-compose.yml'), 'utf8');
const dockerfile = readFileSync(resolve(project, 'Dockerfile'), 'utf8');
const passwords = {
  POSTGRES_PASSWORD: 'administrator-secret',
  DB_PASSWORD: 'database-secret',
  DB_MIGRATION_PASSWORD: 'migration-secret',
  RABBITMQ_PASSWORD: 'broker-secret',
  API_KEY_ENCRYPTION_SECRET: 'key-secret-key-secret-key-secret-',
};
const compose = readCompose(passwords);
const ours = ['migration', 'api', 'worker'];
const documented = Object.keys(parseEnv(readFileSync(resolve(project, '.env.example'), 'utf8')));
/** Variables that operators do not set through compose, and why not. */
const KEPT: Readonly<Record<string, string>> = {
  NODE_ENV: 'production, which is what the file is for',
  ...byReason('says which of the servers of the file', [
    ...['DATABASE_URL', 'DB_HOST', 'DB_PORT', 'DB_NAME', 'DB_USERNAME', 'DB_SSL'],
    ...['REDIS_URL', 'BATCH_SERVICE_RMQ_URL'],
  ]),
  ...byReason('only the service `migration` has a user that may migrate', [
    ...['DB_MIGRATION_USERNAME', 'DB_MIGRATION_PASSWORD', 'DB_MIGRATION_WAIT_TIMEOUT'],
  ]),
  ...byReason('names a file, which is not in the container', [
    ...['DB_SSL_CA', 'DB_SSL_CERT', 'DB_SSL_KEY', 'REDIS_CA', 'REDIS_CERT', 'REDIS_KEY'],
    ...['BATCH_RMQ_CA', 'BATCH_RMQ_CERT', 'BATCH_RMQ_KEY', 'MAIL_TEMPLATE_DIR'],
    ...['BATCH_HTTPS_CERT', 'BATCH_HTTPS_KEY', 'BATCH_HTTPS_CLIENT_CA'],
  ]),
  BATCH_RUN_MIGRATIONS: 'the service `migration` runs them',
  BATCH_EMBEDDED_DIR: 'there is no embedded PostgreSQL in production',
  BATCH_RPC_TCP_PORT: 'there is a broker, so RPC is not served over TCP',
  BATCH_NOTIFICATION_TCP_URL: 'refused in production',
  BATCH_ROLE: 'makes the services of the file what they are',
  ...byReason('inside a container; what is published says `ports`', [
    ...['HTTP_HOST', 'HTTP_PORT', 'BATCH_WORKER_HEALTH_PORT'],
  ]),
  BATCH_REQUIRE_API_KEY: 'always true in production',
  BATCH_ALLOW_OPEN_ACCESS: 'keys are required in production',
  BATCH_SHUTDOWN_TIMEOUT: 'goes with stop_grace_period',
  DB_WAIT_TIMEOUT: 'goes with start_period',
};
/** The SDK of OpenTelemetry reads these itself, so they are no settings. */
const telemetry = [
  ...new Set(readFileSync(resolve(project, 'docs/telemetry.md'), 'utf8').match(/(?<=^\|.*`)OTEL_[A-Z_]+/gm)),
];
const passed = documented.filter((variable) => !(variable in KEPT));

describe('docker-compose.yml', () => {
  it('runs PostgreSQL, RabbitMQ, Redis, the migration, an API and two workers', () => {
    expect(Object.keys(compose.services).sort()).toEqual([
      'api',
      'migration',
      'postgres',
      'rabbitmq',
      'redis',
      'worker',
    ]);
    expect(compose.services.worker?.deploy?.replicas).toBe(2);
    expect(compose.services.migration?.command).toEqual(['node', 'dist/migrate.js']);
    expect(roleOf('api')).toBe('api');
    expect(roleOf('worker')).toBe('worker');
  });

  it.each(ours)('gives %s only variables that the service knows, with values that it accepts in production', (name) => {
    const environment = service(name).environment ?? {};
    expect(
      Object.keys(environment).filter(
        (variable) => !(variable in environmentSchema.shape) && !telemetry.includes(variable),
      ),
    ).toEqual([]);
    expect(loadSettings(environment)).toMatchObject({
      environment: 'production',
      database: { host: 'postgres', password: passwords.DB_PASSWORD, runMigrations: false },
      access: { required: true, secret: passwords.API_KEY_ENCRYPTION_SECRET },
      rabbitmq: { url: `amqp://batch_service:${passwords.RABBITMQ_PASSWORD}@rabbitmq:5672` },
    });
  });

  it('runs api and workers as a role that may not migrate, and the migration as one that may', () => {
    for (const name of ['api', 'worker']) {
      expect(
        Object.keys(service(name).environment ?? {}).filter((variable) => /MIGRATION_|POSTGRES/.test(variable)),
      ).toEqual([]);
    }
    expect(loadSettings(service('migration').environment ?? {}).database).toMatchObject({
      username: 'batch_service',
      migration: { username: 'batch_migration', password: passwords.DB_MIGRATION_PASSWORD },
    });
    expect(service('postgres').environment).toEqual({
      POSTGRES_DB: 'batch_service',
      POSTGRES_USER: 'postgres',
      POSTGRES_PASSWORD: passwords.POSTGRES_PASSWORD,
      DB_PASSWORD: passwords.DB_PASSWORD,
      DB_MIGRATION_PASSWORD: passwords.DB_MIGRATION_PASSWORD,
    });
  });

  it('makes these roles, by the script, when the volume is empty', () => {
    const mounts = new Map((service('postgres').volumes ?? []).map((volume) => volume.split(':') as [string, string]));
    const initialization = readFileSync(resolve(project, 'scripts/compose-roles.sh'), 'utf8');
    const roles = readFileSync(resolve(project, 'scripts/roles.sql'), 'utf8');
    expect(mounts.get('./scripts/compose-roles.sh')).toMatch(/^\/docker-entrypoint-initdb\.d\/.+\.sh$/);
    expect(initialization).toContain(`--file ${mounts.get('./scripts/roles.sql')}`);
    expect(roles).toContain('\\set runtime batch_service\n');
    expect(roles).toContain('\\set migration batch_migration\n');
  });

  it.each(['api', 'worker'])('passes every variable of .env.example on to %s, but for those with a reason', (name) => {
    const marks = Object.fromEntries(documented.map((variable) => [variable, `${variable} as it was set`]));
    const environment = readCompose({ ...passwords, ...marks }).services[name]?.environment ?? {};
    const arrived = documented.filter((variable) => environment[variable] === marks[variable]);
    expect(arrived.sort()).toEqual(passed.sort());
  });

  it.each(['api', 'worker'])(
    'passes the variables of OpenTelemetry on to %s, as docs/telemetry.md names them',
    (name) => {
      expect(telemetry.length).toBeGreaterThan(8);
      const marks = Object.fromEntries(telemetry.map((variable) => [variable, `${variable} as it was set`]));
      expect(readCompose({ ...passwords, ...marks }).services[name]?.environment).toMatchObject(marks);
    },
  );

  it('keeps back no variable that does not exist', () => {
    expect(Object.keys(KEPT).filter((variable) => !documented.includes(variable))).toEqual([]);
  });

  it.each(['postgres', 'rabbitmq', 'redis', 'api', 'worker'])('checks the health of %s and starts it again', (name) => {
    expect(service(name).healthcheck?.test?.[0]).toBe('CMD');
    expect(service(name).restart).toBe('unless-stopped');
  });

  it.each(['api', 'worker'])('asks %s for its health on the port on which it answers', (name) => {
    const { environment = {}, healthcheck } = service(name);
    const settings = loadSettings(environment);
    const port = name === 'worker' ? settings.workerHealthPort : settings.http.port;
    expect(healthcheck?.test?.at(-1)).toContain(`http://127.0.0.1:${port}/health/ready`);
  });

  it.each(['api', 'worker'])('starts %s once the migration is done and the servers are healthy', (name) => {
    expect(service(name).depends_on).toEqual({
      postgres: { condition: 'service_healthy' },
      rabbitmq: { condition: 'service_healthy' },
      redis: { condition: 'service_healthy' },
      migration: { condition: 'service_completed_successfully' },
    });
  });

  it.each(ours)('leaves %s the time to stop that its settings promise', (name) => {
    const { environment = {}, stop_grace_period: period = '' } = service(name);
    expect(Number.parseInt(period, 10) * 1000).toBeGreaterThan(loadSettings(environment).shutdownTimeoutMs);
  });

  it.each(['api', 'worker'])('does not call %s unhealthy while it waits for its database', (name) => {
    const { environment = {}, healthcheck } = service(name);
    const period = Number.parseInt(healthcheck?.start_period ?? '', 10) * 1000;
    expect(period).toBeGreaterThan(loadSettings(environment).database.waitMs);
  });

  it('keeps what has to last in named volumes', () => {
    const mounted = Object.values(compose.services).flatMap(({ volumes = [] }) =>
      volumes.flatMap((volume) => (volume.startsWith('./') ? [] : volume.split(':')[0])),
    );
    expect(mounted.sort()).toEqual(Object.keys(compose.volumes).sort());
    expect(mounted).toEqual(['postgres-data', 'rabbitmq-data']);
  });

  it('publishes ports on this machine only', () => {
    const ports = Object.values(compose.services).flatMap((each) => each.ports ?? []);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
    expect(ports.length).toBeGreaterThan(0);
  });

  it.each(Object.keys(passwords))('does not start without %s', (missing) => {
    expect(() => readCompose({ ...passwords, [missing]: '' })).toThrow(`set ${missing}`);
  });

  const client = composeClient();
  const by = client?.version ?? 'a compose client (NOT CHECKED: none is installed here)';
  it.skipIf(client === undefined)(`is accepted by ${by}`, () => {
    const [command = '', ...args] = client?.command ?? [];
    const environment = { PATH: process.env.PATH, HOME: process.env.HOME, ...passwords };
    const output = execFileSync(command, [...args, 'config'], { cwd: project, env: environment, encoding: 'utf8' });
    const { services } = parse(output) as ComposeFile;
    expect(Object.keys(services).sort()).toEqual(Object.keys(compose.services).sort());
    expect(services.api?.environment?.BATCH_SERVICE_RMQ_URL).toContain(passwords.RABBITMQ_PASSWORD);
  });
});

describe('Dockerfile', () => {
  const stages = dockerfile.split(/^FROM /m).slice(1);
  const last = stages.at(-1) ?? '';

  it('ends in an image that runs the compiled service as an ordinary user', () => {
    expect(last).toMatch(/^USER node$/m);
    expect(last).toContain(
      `\nCMD ${JSON.stringify(['node', ...NODE_FLAGS, '--import', './dist/telemetry.js', 'dist/main.js']).replaceAll(',', ', ')}\n`,
    );
    expect(last).toMatch(/^HEALTHCHECK .*\\\n {2}CMD \["node"/m);
    expect(last).not.toMatch(/RUN npm|COPY src/);
  });

  it('starts Node as the scripts of package.json do', () => {
    const { scripts } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const starting = Object.values(scripts).filter((script) => /dist\/(modules\/)?main\.js/.test(script));
    expect(starting.length).toBeGreaterThan(3);
    for (const script of starting)
      expect(script).toMatch(
        new RegExp(
          `node ${NODE_FLAGS.join(' ')} --import \\./dist/(modules/)?telemetry\\.js dist/(modules/)?main\\.js`,
        ),
      );
  });

  it('asks whether the process is of use, not whether its servers are: an orchestrator ends what is unhealthy', () => {
    expect(last).toMatch(/^HEALTHCHECK [^]*\/health\/live/m);
  });

  it('takes from the project only what .dockerignore lets through', () => {
    const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
      names.split(' '),
    );
    const allowed = readFileSync(resolve(project, '.dockerignore'), 'utf8')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? line.slice(1).replace(/\/$/, '') : []));
    expect(new Set(sources)).toEqual(new Set(allowed));
  });
});

function service(name: string): ComposeService {
  const found = compose.services[name];
  if (!found) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
}

function byReason(reason: string, variables: readonly string[]): Record<string, string> {
  return Object.fromEntries(variables.map((variable) => [variable, reason]));
}

function roleOf(name: string): string {
  return loadSettings(service(name).environment ?? {}).role;
}

/** The file as a compose client reads it: values are filled in after the YAML is parsed. */
function readCompose(environment: Record<string, string>): ComposeFile {
  const fill = (_key: unknown, value: unknown): unknown =>
    typeof value === 'string' ? interpolate(value, environment) : value;
  return parse(text, fill, { merge: true }) as ComposeFile;
}

/** `${NAME:-default}` and `${NAME:?message}`, the two forms that the file uses. */
function interpolate(value: string, environment: Record<string, string>): string {
  return value.replaceAll(/\$\{([A-Z_]+):([-?])([^}]*)\}/g, (_, name: string, form: string, rest: string) => {
    const given = environment[name] ?? '';
    if (given === '' && form === '?') throw new Error(rest);
    return given === '' ? rest : given;
  });
}

function composeClient(): { command: string[]; version: string } | undefined {
  for (const command of [['docker', 'compose'], ['docker-compose']]) {
    const [program = '', ...args] = command;
    const { status, stdout } = spawnSync(program, [...args, 'version', '--short'], { encoding: 'utf8' });
    if (status === 0) return { command, version: `${command.join(' ')} ${stdout.trim()}` };
  }
  return undefined;
}

import { describe, expect, it } from 'vitest';
import { InvalidSettingsError } from '../../src/services/config/invalid-settings.error.js';
import { environmentSchema } from '../../src/services/config/environment-schema.js';
import { loadSettings } from '../../src/services/config/load-settings.js';

function faultsOf(environment: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadSettings(environment);
  } catch (error) {
    if (error instanceof InvalidSettingsError) return error.faults;
    throw error;
  }
  return [];
}

/** Long enough. */
const SECRET = 'a text of at least thirty-two characters';
const BROKER = { BATCH_SERVICE_RMQ_URL: 'amqp://broker' };

describe('the settings', () => {
  it('need nothing outside production', () => {
    const settings = loadSettings({});

    expect(settings).toMatchObject({
      environment: 'development',
      role: 'all',
      database: { host: undefined, runMigrations: true },
      rabbitmq: undefined,
      redis: undefined,
      http: { port: 3000 },
      poller: { intervalMs: 5000, limit: 1000 },
    });
  });

  it('take an empty variable as absent', () => {
    expect(loadSettings({ DB_HOST: '', HTTP_PORT: '', REDIS_URL: '' })).toEqual(loadSettings({}));
  });

  it('report all faults at once, each with the name of its variable', () => {
    const faults = faultsOf({
      HTTP_PORT: '70000',
      BATCH_ROLE: 'boss',
      BATCH_PROCESS_OPERATION_LIMIT: 'many',
      BATCH_SERVICE_RMQ_URL: 'http://broker',
    });

    expect(faults.map((fault) => fault.split(':')[0]).sort()).toEqual([
      'BATCH_PROCESS_OPERATION_LIMIT',
      'BATCH_ROLE',
      'BATCH_SERVICE_RMQ_URL',
      'HTTP_PORT',
    ]);
    expect(faults.find((fault) => fault.startsWith('BATCH_SERVICE_RMQ_URL'))).toContain('amqp://');
    // A mistyped URL may hold a password.
    expect(faults.join()).not.toContain('http://broker');
  });

  it('tell of targets that cannot be meant together with every other fault', () => {
    const faults = faultsOf({
      NODE_ENV: 'production',
      HTTP_PORT: 'none',
      BATCH_ALLOWED_TARGETS: 'orders, shop.*x, batch.*',
    });

    expect(faults).toEqual([
      expect.stringMatching(/^HTTP_PORT: /),
      expect.stringMatching(/^BATCH_ALLOWED_TARGETS: 'shop\.\*x': /),
      expect.stringMatching(/^BATCH_ALLOWED_TARGETS: 'batch\.\*': /),
      expect.stringMatching(/^DB_HOST: /),
      expect.stringMatching(/^API_KEY_ENCRYPTION_SECRET: /),
    ]);
    expect(faultsOf({ BATCH_ALLOWED_TARGETS: ' , ' })).toEqual([expect.stringMatching(/^BATCH_ALLOWED_TARGETS: /)]);
    expect(loadSettings({ BATCH_ALLOWED_TARGETS: 'orders, shop.*' }).intake.allowedTargets).toEqual([
      'orders',
      'shop.*',
    ]);
  });

  it('refuse the embedded PostgreSQL in production', () => {
    const production = { ...BROKER, NODE_ENV: 'production', API_KEY_ENCRYPTION_SECRET: SECRET };
    expect(faultsOf(production)).toEqual([expect.stringMatching(/^DB_HOST: required in production, or DATABASE_URL/)]);
    expect(faultsOf({ ...production, DB_HOST: 'db' })).toEqual([]);
  });

  it('have no RPC over TCP in production, where without a broker only REST is left', () => {
    const production = { NODE_ENV: 'production', DB_HOST: 'db', API_KEY_ENCRYPTION_SECRET: SECRET };
    expect(loadSettings({ ...production, BATCH_RPC_TCP_PORT: '3001' }).rpcTransport).toBe('none');
    expect(loadSettings({ ...production, ...BROKER }).rpcTransport).toBe('rabbitmq');
    expect(loadSettings({}).rpcTransport).toBe('tcp');
  });

  it('demand API keys in production, and the secret that they are stored with wherever they are demanded', () => {
    const production = { ...BROKER, NODE_ENV: 'production', DB_HOST: 'db' };
    const secretMissing = [expect.stringMatching(/^API_KEY_ENCRYPTION_SECRET: required/)];
    expect(faultsOf(production)).toEqual(secretMissing);
    expect(faultsOf({ BATCH_REQUIRE_API_KEY: 'true' })).toEqual(secretMissing);
    expect(faultsOf({ ...production, API_KEY_ENCRYPTION_SECRET: SECRET, BATCH_REQUIRE_API_KEY: 'false' })).toEqual([
      expect.stringMatching(/^BATCH_REQUIRE_API_KEY: /),
    ]);
    const short = faultsOf({ API_KEY_ENCRYPTION_SECRET: 'letmein' });
    expect(short).toEqual([expect.stringMatching(/^API_KEY_ENCRYPTION_SECRET: /)]);
    expect(short.join()).not.toContain('letmein');
    expect(loadSettings({ ...production, API_KEY_ENCRYPTION_SECRET: SECRET }).access.required).toBe(true);
    expect(loadSettings({}).access.required).toBe(false);
  });

  it('take a user for migrations, and refuse a password without one', () => {
    const migration = { username: 'migrator', password: 's3cret' };
    expect(loadSettings({}).database.migration).toBeUndefined();
    expect(
      loadSettings({ DB_MIGRATION_USERNAME: 'migrator', DB_MIGRATION_PASSWORD: 's3cret' }).database.migration,
    ).toEqual(migration);
    expect(faultsOf({ DB_MIGRATION_PASSWORD: 's3cret' })).toEqual([
      expect.stringMatching(/^DB_MIGRATION_PASSWORD: .*DB_MIGRATION_USERNAME/),
    ]);
  });

  it('take the secret of before beside the one of now, and no other way', () => {
    const both = { API_KEY_ENCRYPTION_SECRET: SECRET, API_KEY_ENCRYPTION_SECRET_PREVIOUS: `${SECRET} of before` };
    expect(loadSettings(both).access).toMatchObject({ secret: SECRET, previousSecret: `${SECRET} of before` });
    const fault = expect.stringMatching(/^API_KEY_ENCRYPTION_SECRET_PREVIOUS: /) as string;
    expect(faultsOf({ ...both, API_KEY_ENCRYPTION_SECRET_PREVIOUS: SECRET })).toEqual([fault]);
    expect(faultsOf({ ...both, API_KEY_ENCRYPTION_SECRET: '' })).toEqual([fault]);
    expect(faultsOf({ ...both, API_KEY_ENCRYPTION_SECRET_PREVIOUS: 'letmein' })).toEqual([fault]);
  });

  it('leave migrations in production to a command of their own, unless told otherwise', () => {
    const production = { ...BROKER, NODE_ENV: 'production', DB_HOST: 'db', API_KEY_ENCRYPTION_SECRET: SECRET };

    expect(loadSettings(production).database.runMigrations).toBe(false);
    expect(loadSettings({ ...production, BATCH_RUN_MIGRATIONS: 'true' }).database.runMigrations).toBe(true);
  });
});

describe('a fault of the settings', () => {
  const names = Object.keys(environmentSchema.shape);
  const nonsense = ['-7.5', 'non sense', '99999999999', 'x'];
  const refused = names.flatMap((name) => nonsense.map((value) => ({ name, value })).filter(isRefused));

  function isRefused({ name, value }: { name: string; value: string }): boolean {
    return faultsOf({ [name]: value }).some((fault) => fault.startsWith(`${name}: expected`));
  }

  it('is found for every variable that does not take any text', () => {
    const free = names.filter((name) => !refused.some((each) => each.name === name));
    expect(free.sort()).toEqual([
      'BATCH_ALERT_NAME',
      'BATCH_ALLOWED_TARGETS',
      'BATCH_EMBEDDED_DIR',
      'BATCH_HTTPS_CERT',
      'BATCH_HTTPS_CLIENT_CA',
      'BATCH_HTTPS_KEY',
      'BATCH_RMQ_CA',
      'BATCH_RMQ_CERT',
      'BATCH_RMQ_KEY',
      'BATCH_RMQ_REPLY_TO',
      'BATCH_SERIAL_TARGETS',
      'BATCH_SERVICE_RMQ_QUEUE',
      'DB_HOST',
      'DB_MIGRATION_PASSWORD',
      'DB_MIGRATION_USERNAME',
      'DB_NAME',
      'DB_PASSWORD',
      'DB_SSL_CA',
      'DB_SSL_CERT',
      'DB_SSL_KEY',
      'DB_USERNAME',
      'HTTP_HOST',
      'MAIL_TEMPLATE_DIR',
      'REDIS_CA',
      'REDIS_CERT',
      'REDIS_KEY',
    ]);
    expect(faultsOf({ BATCH_SERVICE_RMQ_QUEUE: 'q'.repeat(201) })).toEqual([
      expect.stringMatching(
        /^BATCH_SERVICE_RMQ_QUEUE: expected a name of 1 to 200 characters; got "q+\.\.\.\[101 more characters\]"$/,
      ),
    ]);
  });

  it.each(refused)(
    'says in plain words what $name takes, and what it got, but for secrets: $value',
    ({ name, value }) => {
      const [fault = ''] = faultsOf({ [name]: value });
      expect(fault).toMatch(
        new RegExp(
          `^${name}: expected (?:a whole number from \\d+ to \\d+|true or false|(?:[a-z-]+, )*[a-z-]+ or [a-z-]+|a URL that begins with .+|` +
            'a random text of at least 32 characters|a number of proxies from 1 to 10, or .+|a URL such as smtp://.+|' +
            'an address such as .+|a region such as .+|at most 50 addresses, separated by commas)(?:; got "[^"]+")?$',
        ),
      );
      expect(fault.includes(`got "${value}"`)).toBe(!/URL|SECRET/.test(name));
    },
  );

  it('names the word that was meant', () => {
    expect(faultsOf({ BATCH_ROLE: 'wroker', LOG_LEVEL: 'wran', NODE_ENV: 'prodution' })).toEqual([
      'NODE_ENV: expected development, production or test; got "prodution"; did you mean "production"?',
      'LOG_LEVEL: expected fatal, error, warn, info, debug, trace or silent; got "wran"; did you mean "warn"?',
      'BATCH_ROLE: expected all, api or worker; got "wroker"; did you mean "worker"?',
    ]);
  });
});

describe('a variable that is no setting', () => {
  it.each([
    ['BATCH_PROCESS_OPERATION_LIMT', 'BATCH_PROCESS_OPERATION_LIMIT'],
    ['BATCH_ALLOW_TARGETS', 'BATCH_ALLOWED_TARGETS'],
    ['BATCH_MAXBACKLOG', 'BATCH_MAX_BACKLOG'],
    ['DB_HOTS', 'DB_HOST'],
    ['DB_PASWORD', 'DB_PASSWORD'],
    ['db_host', 'DB_HOST'],
    ['REDIS_URI', 'REDIS_URL'],
    ['HTTP_PROT', 'HTTP_PORT'],
    ['API_KEY_ENCRYPTON_SECRT', 'API_KEY_ENCRYPTION_SECRET'],
  ])('is refused when it is a setting misspelt: %s for %s', (wrong, meant) => {
    const faults = faultsOf({ [wrong]: 's3cret' });
    expect(faults).toEqual([
      expect.stringMatching(new RegExp(`^${wrong}: there is no such setting; did you mean "${meant}"\\?`)),
    ]);
    expect(faults.join()).not.toContain('s3cret');
  });

  it('is refused when it begins with BATCH_, even empty: an old name must not be passed over', () => {
    expect(faultsOf({ BATCH_SOMETHING_ELSE: '' })).toEqual([
      'BATCH_SOMETHING_ELSE: there is no such setting; remove it or correct its name',
    ]);
  });

  it.each(['DB_URL', 'DB_USER', 'DB_TYPE', 'HTTP_PROXY', 'PORT', 'HOST', 'LOG_FORMAT', 'REDIS_HOST', 'NODE_OPTIONS'])(
    'is left alone when it is the variable of another program: %s',
    (name) => {
      expect(faultsOf({ [name]: 'anything' })).toEqual([]);
    },
  );

  it('is left alone when the setting that it resembles is given, even empty', () => {
    expect(faultsOf({ DB_HOTS: 'elsewhere', DB_HOST: 'here' })).toEqual([]);
    expect(faultsOf({ DB_HOTS: 'elsewhere', DB_HOST: '' })).toEqual([]);
  });

  it('is left alone when Kubernetes made it of the name of a service', () => {
    const links = {
      BATCH_SERVICE_SERVICE_HOST: '10.0.0.7',
      BATCH_SERVICE_SERVICE_PORT: '3000',
      BATCH_SERVICE_SERVICE_PORT_REST: '3000',
      BATCH_SERVICE_PORT: 'tcp://10.0.0.7:3000',
      BATCH_SERVICE_PORT_3000_TCP: 'tcp://10.0.0.7:3000',
      BATCH_SERVICE_PORT_3000_TCP_PROTO: 'tcp',
      BATCH_SERVICE_PORT_3000_TCP_PORT: '3000',
      BATCH_SERVICE_PORT_3000_TCP_ADDR: '10.0.0.7',
    };
    expect(faultsOf(links)).toEqual([]);
    expect(faultsOf({ BATCH_HTTP_PORT: '3000' })).toHaveLength(1);
  });
});

describe('where the service listens', () => {
  const keys = { BATCH_REQUIRE_API_KEY: 'true', API_KEY_ENCRYPTION_SECRET: SECRET };

  it('is this machine only by default where no keys are required, and everywhere where they are', () => {
    expect(loadSettings({ DB_HOST: 'db' }).http.host).toBe('127.0.0.1');
    expect(loadSettings(keys).http.host).toBe('0.0.0.0');
    expect(loadSettings({ ...BROKER, NODE_ENV: 'production', DB_HOST: 'db', ...keys }).http.host).toBe('0.0.0.0');
    expect(loadSettings({ ...keys, HTTP_HOST: '10.0.0.7' }).http.host).toBe('10.0.0.7');
  });

  it.each([
    ...['0.0.0.0', '::', '10.0.0.7', 'myhost', '127.0.0.1.example.org', '1270.0.0.1'],
    ...[
      '0',
      '0x7f000001',
      '0:0:0:0:0:0:0:0',
      '::ffff:0.0.0.0',
      '::ffff:10.0.0.7',
      'localhost.example.org',
      '127.0.0.1,0.0.0.0',
    ],
  ])('may not be %s without keys, unless that is allowed explicitly', (host) => {
    expect(faultsOf({ HTTP_HOST: host })).toEqual([
      expect.stringMatching(/^HTTP_HOST: .*BATCH_REQUIRE_API_KEY=true.*BATCH_ALLOW_OPEN_ACCESS=true$/),
    ]);
    expect(loadSettings({ HTTP_HOST: host, BATCH_ALLOW_OPEN_ACCESS: 'true' }).http.host).toBe(host);
    expect(loadSettings({ ...keys, HTTP_HOST: host }).http.host).toBe(host);
  });

  it('is this machine only for RPC over TCP, whatever is asked for', () => {
    const rpc = { BATCH_RPC_TCP_PORT: '3009' };
    const open = { ...keys, HTTP_HOST: '0.0.0.0', BATCH_ALLOW_OPEN_ACCESS: 'true' };
    expect(loadSettings({ ...rpc, ...open }).rpcTcp).toEqual({ host: '127.0.0.1', port: 3009 });
    expect(faultsOf({ ...rpc, BATCH_RPC_TCP_HOST: '10.0.0.7' })).toEqual([
      expect.stringMatching(/^BATCH_RPC_TCP_HOST: there is no such setting/),
    ]);
  });

  it.each(['127.0.0.1', '127.1.2.3', 'localhost', '::1'])('may be %s without keys', (host) => {
    expect(faultsOf({ HTTP_HOST: host })).toEqual([]);
  });

  it('does not matter where nothing is listened on', () => {
    const open = { HTTP_HOST: '0.0.0.0', BATCH_ROLE: 'worker' };
    expect(faultsOf(open)).toEqual([]);
    expect(faultsOf({ ...open, BATCH_WORKER_HEALTH_PORT: '3009' })).toEqual([expect.stringMatching(/^HTTP_HOST: /)]);
  });
});

describe('BATCH_TRUST_PROXY', () => {
  it.each([
    ['1', 1],
    ['10', 10],
    ['10.0.0.0/8, loopback', ['10.0.0.0/8', 'loopback']],
    ['192.168.1.7', ['192.168.1.7']],
    ['fd00::/8,::1', ['fd00::/8', '::1']],
  ])('takes %s', (text, trusted) => {
    expect(loadSettings({ BATCH_TRUST_PROXY: text }).http.trustProxy).toEqual(trusted);
  });

  it.each([
    'true',
    '0',
    '11',
    'everybody',
    '10.0.0.0/33',
    '10.0.0.0/0',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '::/129',
    '1,2',
    ',',
  ])('refuses %s, which would let a caller choose its address, or means nothing', (text) => {
    expect(faultsOf({ BATCH_TRUST_PROXY: text })).toEqual([
      expect.stringMatching(
        /^BATCH_TRUST_PROXY: expected a number of proxies from 1 to 10, or the addresses of proxies/,
      ),
    ]);
  });
});

describe('DATABASE_URL', () => {
  it('stands for the host, the port, the database, the user, the password and TLS', () => {
    const url = 'postgres://shop%40eu:p%2Fw%23@db.example.org:6432/orders%20db?sslmode=require';

    expect(loadSettings({ DATABASE_URL: url }).database).toMatchObject({
      host: 'db.example.org',
      port: 6432,
      name: 'orders db',
      username: 'shop@eu',
      password: 'p/w#',
      ssl: { mode: 'require' },
    });
    expect(loadSettings({ DATABASE_URL: 'postgresql://[::1]/orders' }).database).toMatchObject({
      host: '::1',
      port: 5432,
      name: 'orders',
    });
  });

  it('may leave the password to its own variable', () => {
    const { database } = loadSettings({ DATABASE_URL: 'postgres://app@db/orders', DB_PASSWORD: 'secret' });

    expect(database).toMatchObject({ username: 'app', password: 'secret' });
  });

  it('is enough in production', () => {
    const environment = { ...BROKER, NODE_ENV: 'production', API_KEY_ENCRYPTION_SECRET: SECRET };

    expect(faultsOf({ ...environment, DATABASE_URL: 'postgres://app:pw@db/orders' })).toEqual([]);
  });

  it.each([
    ['mysql://app:hidden@db/orders', /expected a URL that begins with postgres:/],
    ['postgres://app:hid#den@db/orders', /expected a URL .* %23/],
    ['postgres://app:hidden%@db/orders', /expected a URL that/],
    ['postgres:///orders', /names no host/],
    ['postgres://app:hidden@db', /names no database/],
    ['postgres://app:hidden@one,two/orders', /names several hosts/],
    ['postgres://app:hidden@db/orders?target_session_attrs=read-write', /the parameter target_session_attrs is not/],
  ])('refuses %s, and does not show the password', (url, expected) => {
    const faults = faultsOf({ DATABASE_URL: url });

    expect(faults.join()).toMatch(expected);
    expect(faults.every((fault) => fault.startsWith('DATABASE_URL: '))).toBe(true);
    expect(faults.join()).not.toMatch(/hidden|hid#den/);
  });

  it('names the part of the URL that is wrong, and not the variable that it stands for', () => {
    expect(faultsOf({ DATABASE_URL: 'postgres://app:pw@db/orders?sslmode=prefer' })).toEqual([
      expect.stringMatching(/^DATABASE_URL: sslmode: expected disable, require.*; got "?'?prefer/) as string,
    ]);
    expect(faultsOf({ DATABASE_URL: 'postgres://app:pw@db/orders?sslmode=verify-full&sslrootcert=/none' })).toEqual([
      expect.stringMatching(/^DATABASE_URL: sslrootcert: .*\/none/) as string,
    ]);
  });

  it('refuses a second variable for what it already says', () => {
    expect(
      faultsOf({ DATABASE_URL: 'postgres://app:pw@db/orders?sslmode=require', DB_HOST: 'db', DB_SSL: 'require' }),
    ).toEqual([
      'DATABASE_URL: it and DB_HOST both say the same thing; remove one of the two',
      'DATABASE_URL: it and DB_SSL both say the same thing; remove one of the two',
    ]);
  });
});

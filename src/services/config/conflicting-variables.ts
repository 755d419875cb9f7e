/** What is wrong with variables that do not fit together, although each may be right by itself. */
export function conflictFaults(given: NodeJS.ProcessEnv): string[] {
  const production = given.NODE_ENV === 'production';
  const { API_KEY_ENCRYPTION_SECRET: secret, API_KEY_ENCRYPTION_SECRET_PREVIOUS: previous } = given;
  const keysRequired = production || given.BATCH_REQUIRE_API_KEY === 'true';
  const faults: readonly [wrong: boolean, fault: string][] = [
    [
      production && given.DB_HOST === undefined,
      'DB_HOST: required in production, or DATABASE_URL; the embedded PostgreSQL is for a first look only',
    ],
    [
      production && given.BATCH_NOTIFICATION_TCP_URL !== undefined,
      'BATCH_NOTIFICATION_TCP_URL: not allowed in production; set BATCH_SERVICE_RMQ_URL to send notifications through RabbitMQ',
    ],
    [
      production && given.BATCH_REQUIRE_API_KEY === 'false',
      'BATCH_REQUIRE_API_KEY: cannot be false in production; make keys with `node dist/keys.js create`',
    ],
    [
      previous !== undefined && previous === secret,
      'API_KEY_ENCRYPTION_SECRET_PREVIOUS: equals API_KEY_ENCRYPTION_SECRET; expected the secret before it, or none',
    ],
    [
      previous !== undefined && secret === undefined,
      'API_KEY_ENCRYPTION_SECRET_PREVIOUS: has no effect alone; set API_KEY_ENCRYPTION_SECRET, the new secret, as well',
    ],
    [
      keysRequired && secret === undefined && previous === undefined,
      'API_KEY_ENCRYPTION_SECRET: required when API keys are required; set a random text of at least 32 characters, the same for every process',
    ],
    [
      given.DB_MIGRATION_PASSWORD !== undefined && given.DB_MIGRATION_USERNAME === undefined,
      'DB_MIGRATION_PASSWORD: has no effect without DB_MIGRATION_USERNAME; set both, or neither',
    ],
  ];
  return faults.flatMap(([wrong, fault]) => (wrong ? [fault] : []));
}

/** What is wrong with variables that do not fit together, although each may be right by itself. */
export function conflictFaults(given: NodeJS.ProcessEnv): string[] {
  return [...productionFaults(given), ...secretFaults(given), ...migrationFaults(given)];
}

function productionFaults(given: NodeJS.ProcessEnv): string[] {
  if (given.NODE_ENV !== 'production') return [];
  const faults: string[] = [];
  if (given.DB_HOST === undefined) {
    faults.push('DB_HOST: required in production; the embedded PostgreSQL is for a first look only');
  }
  if (given.BATCH_NOTIFICATION_TCP_URL !== undefined) {
    faults.push(
      'BATCH_NOTIFICATION_TCP_URL: not allowed in production; set BATCH_SERVICE_RMQ_URL to notify through RabbitMQ',
    );
  }
  if (given.BATCH_REQUIRE_API_KEY === 'false') {
    faults.push('BATCH_REQUIRE_API_KEY: cannot be false in production; make keys with `node dist/keys.js create`');
  }
  return faults;
}

function secretFaults(given: NodeJS.ProcessEnv): string[] {
  const { API_KEY_ENCRYPTION_SECRET: secret, API_KEY_ENCRYPTION_SECRET_PREVIOUS: previous } = given;
  if (previous !== undefined && previous === secret) {
    return [
      'API_KEY_ENCRYPTION_SECRET_PREVIOUS: equals API_KEY_ENCRYPTION_SECRET; expected the secret before it, or none',
    ];
  }
  if (previous !== undefined && secret === undefined) {
    return [
      'API_KEY_ENCRYPTION_SECRET_PREVIOUS: has no effect alone; set API_KEY_ENCRYPTION_SECRET, the new secret, as well',
    ];
  }
  const required = given.NODE_ENV === 'production' || given.BATCH_REQUIRE_API_KEY === 'true';
  if (!required || secret !== undefined) return [];
  return [
    'API_KEY_ENCRYPTION_SECRET: required when API keys are required; set a random text of at least 32 characters, the same for every process',
  ];
}

function migrationFaults(given: NodeJS.ProcessEnv): string[] {
  if (given.DB_MIGRATION_PASSWORD === undefined || given.DB_MIGRATION_USERNAME !== undefined) return [];
  return ['DB_MIGRATION_PASSWORD: has no effect without DB_MIGRATION_USERNAME; set both, or neither'];
}

import { join } from 'node:path';

/** Where the database is. `npm run example` and the tests give it by `DB_…`. */
export interface DatabaseSettings {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

/** @throws if a variable is missing */
export function databaseSettings(environment: NodeJS.ProcessEnv): DatabaseSettings {
  const { DB_HOST: host, DB_PORT: port, DB_USERNAME: user, DB_PASSWORD: password, DB_NAME: database } = environment;
  if (!host || !port || !user || !database) {
    throw new Error(
      'DB_HOST, DB_PORT, DB_USERNAME and DB_NAME lead to the database: run `npm run example reservation`',
    );
  }
  return { host, port: Number(port), user, password: password ?? '', database };
}

/** The command that runs a program of this example; `name` is its file below `src`, without `.js`. */
export function programOf(name: string): string[] {
  return [process.execPath, '--enable-source-maps', join(import.meta.dirname, '..', `${name}.js`)];
}

import { join } from 'node:path';
import { parseArgs } from 'node:util';

export interface DemoOptions {
  operations: number;
  seed: number;
  /** Name of the database that is made and dropped. */
  database: string;
  /** Folder for the data of an embedded PostgreSQL and the log of the service. */
  directory: string;
}

export const USAGE = `npm run demo -- [--operations 20000] [--seed 1] [--database batch_demo] [--directory .data/demo]`;

/** @throws Error that says what is wrong */
export function readOptions(args: string[]): DemoOptions {
  const { values } = parseArgs({
    args,
    options: {
      operations: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      database: { type: 'string', default: 'batch_demo' },
      directory: { type: 'string', default: join('.data', 'demo') },
    },
  });
  return {
    operations: integer('operations', values.operations, 200),
    seed: integer('seed', values.seed, 0),
    database: values.database,
    directory: values.directory,
  };
}

function integer(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least)
    throw new Error(`--${name}: expected an integer from ${least}; got ${text}`);
  return value;
}

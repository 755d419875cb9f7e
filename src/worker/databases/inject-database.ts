import { Inject } from '@nestjs/common';

const PREFIX = 'batch-service/worker:database:';

/** The name of the instance that is meant when no name is given. */
export const DEFAULT_INSTANCE = 'default';

export const databaseToken = (name: string): string => `${PREFIX}${name}`;

/** The instance that a token stands for, undefined for any other token. */
export function instanceOfToken(token: unknown): string | undefined {
  return typeof token === 'string' && token.startsWith(PREFIX) ? token.slice(PREFIX.length) : undefined;
}

/**
 * Injects the TypeORM `DataSource` of an instance of DATABASE_CONFIG.
 *
 * @param name of the instance
 */
export function InjectDatabase(name: string = DEFAULT_INSTANCE): PropertyDecorator & ParameterDecorator {
  return Inject(databaseToken(name));
}

import type { DatabaseFunction } from '../../entities/functions/database-function.js';
import { DATABASE_FUNCTIONS } from '../../entities/functions/database-functions.js';
import type { SqlStatement } from '../../interfaces/sql.js';

/** The names of the functions that the database lacks, or has in an older version. */
export function selectOutdatedFunctions(): SqlStatement {
  return {
    text: `
      select needed.name
      from unnest($1::text[], $2::int[]) needed(name, version)
      where not exists (
        select from pg_proc p
        where p.pronamespace = to_regnamespace('batch') and p.proname = needed.name
          and substring(obj_description(p.oid, 'pg_proc') from '^version (\\d+)')::int >= needed.version
      )`,
    values: [DATABASE_FUNCTIONS.map(({ name }) => name), DATABASE_FUNCTIONS.map(({ version }) => version)],
  };
}

export const functionsNamed = (names: readonly string[]): DatabaseFunction[] =>
  DATABASE_FUNCTIONS.filter(({ name }) => names.includes(name));

export const createFunction = ({ name, version, sql, isPublic = false }: DatabaseFunction): SqlStatement => ({
  text: `${sql};
    comment on function batch.${name} is 'version ${version} of batch-service';
    ${isPublic ? `grant execute on function batch.${name} to public` : `revoke execute on function batch.${name} from public`}`,
});

import type { SqlStatement } from '../../interfaces/sql.js';

/**
 * An expression that changes when an object is created that may put tables into one lane or change how their rows
 * behave: a constraint, an index, a trigger, a rule, a policy. Object identifiers grow, so the newest of each catalog
 * is found with one index access. The expression does not change when objects are only altered or dropped.
 */
export const CATALOG_VERSION = `concat_ws('.',
          coalesce((select max(oid) from pg_catalog.pg_constraint), 0), coalesce((select max(indexrelid) from pg_catalog.pg_index), 0),
          coalesce((select max(oid) from pg_catalog.pg_trigger), 0), coalesce((select max(oid) from pg_catalog.pg_rewrite), 0),
          coalesce((select max(oid) from pg_catalog.pg_policy), 0))`;

export function selectVersion(): SqlStatement {
  return { text: `select ${CATALOG_VERSION} as version` };
}

const CATALOGS = 5;

/**
 * Whether anything newer than this version belongs to a table that is not temporary. Programs create and drop temporary
 * tables all the time.
 */
export function changedSince(version: string): SqlStatement {
  const newest = version.split('.').map(Number);
  return {
    text: `
      select exists (
        select from (
          select conrelid from pg_catalog.pg_constraint where oid > $1::int8::oid
          union all select indrelid from pg_catalog.pg_index where indexrelid > $2::int8::oid
          union all select tgrelid from pg_catalog.pg_trigger where oid > $3::int8::oid
          union all select ev_class from pg_catalog.pg_rewrite where oid > $4::int8::oid
          union all select polrelid from pg_catalog.pg_policy where oid > $5::int8::oid
        ) made(relation)
        join pg_catalog.pg_class c on c.oid = made.relation
        where c.relpersistence <> 't' and c.relnamespace <> 'pg_toast'::regnamespace
      ) as changed`,
    values: Array.from({ length: CATALOGS }, (_, index) => newest[index] ?? 0),
  };
}

import { quoteIdentifier } from '../catalog/target-name.js';
import type { SqlStatement } from './sql.js';

/**
 * What the service's statements do with each relation of schema `batch`; a right of its own is granted for each, and no other.
 * Rows that are locked by `for update` or `for share` need the right to update one of their columns.
 */
export const RUNTIME_RIGHTS: Readonly<Record<string, readonly string[]>> = {
  // `lane`: tables that are tied together share a lane.
  operations: ['select', 'insert', 'update (lane)', 'delete'],
  pending: ['select', 'insert', 'update (lane)', 'delete'],
  delayed: ['select', 'insert', 'update (lane)', 'delete'],
  // `settled_at`: retention locks them.
  outcomes: ['select', 'insert', 'update (settled_at)', 'delete'],
  chunks: ['select', 'insert', 'update (announce, notified_at, unrouted)', 'delete'],
  batch_operations: ['select'],
  lanes: ['select', 'insert', 'update (lane)'],
  lane_faults: ['select', 'insert', 'update', 'delete'],
  workers: ['select', 'insert', 'update (seen_at)', 'delete'],
  message_attempts: ['select', 'insert', 'update (attempts, last_at)', 'delete'],
  parked_notifications: ['select', 'insert', 'update', 'delete'],
  // The command `keys`.
  audit: ['select', 'insert'],
  api_keys: ['select', 'insert', 'update (revoked_at, secret_box, secret_version)'],
  migrations: ['select'],
  // `usage`: nextval.
  reentries: ['select', 'usage'],
};

/** The relations that are sequences. */
const SEQUENCES: ReadonlySet<string> = new Set(['reentries']);

/**
 * The rights of the role that runs the service, and none besides. In one transaction: a service that runs meanwhile sees the rights
 * of before, or those of after.
 */
export function grantRuntimeRights(role: string): SqlStatement {
  const runtime = quoteIdentifier(role);
  const grants = Object.entries(RUNTIME_RIGHTS).map(
    ([name, rights]) => `grant ${rights.join(', ')} on ${kindOf(name)} batch.${quoteIdentifier(name)} to ${runtime}`,
  );
  return {
    text: [
      `grant usage on schema batch to ${runtime}`,
      `revoke all on all tables in schema batch from ${runtime}`,
      `revoke all on all sequences in schema batch from ${runtime}`,
      ...grants,
    ].join(';\n'),
  };
}

/** Of the rights that the service needs those that the role of the session lacks, such as `insert on operations`. */
export function selectMissingRights(): SqlStatement {
  const needed = Object.entries(RUNTIME_RIGHTS).flatMap(([name, rights]) =>
    rights.flatMap((right) => {
      const [, verb = '', columns = ''] = /^(\w+)(?: \((.+)\))?$/.exec(right)!;
      return (columns === '' ? [''] : columns.split(', ')).map((column) => ({ name, verb, column }));
    }),
  );
  return {
    text: `
      select concat(n.verb, ' (' || n.column || ')', ' on ', n.name) as right
      from rows from (unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::bool[]))
        as given (name, verb, named_column, sequence)
      cross join lateral (select given.name, given.verb, nullif(given.named_column, '') as column) n
      where not coalesce(case
        when given.sequence then has_sequence_privilege('batch.' || quote_ident(n.name), n.verb)
        when n.column is not null then has_column_privilege('batch.' || quote_ident(n.name), n.column, n.verb)
        else has_table_privilege('batch.' || quote_ident(n.name), n.verb)
      end, false)`,
    values: [
      needed.map(({ name }) => name),
      needed.map(({ verb }) => verb),
      needed.map(({ column }) => column),
      needed.map(({ name }) => SEQUENCES.has(name)),
    ],
  };
}

const kindOf = (name: string): string => (SEQUENCES.has(name) ? 'sequence' : 'table');

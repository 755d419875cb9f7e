import { quoteIdentifier } from '../catalog/target-name.js';
import { ITEM_FUNCTIONS } from '../../batch/sql/item-functions.sql.js';
import { SERVICE_FUNCTIONS } from '../../entities/functions/database-functions.js';
import type { SqlStatement } from '../../interfaces/sql.js';

/**
 * What the service's statements do with each relation of schema `batch`. The service is granted the rights for these,
 * and no others. To lock rows with `for update` or `for share`, a role needs the right to update one of their columns.
 */
export const RUNTIME_RIGHTS: Readonly<Record<string, readonly string[]>> = {
  // `hash`: intake locks the rows that it uses.
  shapes: ['select', 'insert', 'update (hash)', 'delete'],
  // `lane`: tables that influence one another share a lane, so a table may move to another one.
  operations: ['select', 'insert', 'update (lane)', 'delete'],
  pending: ['select', 'insert', 'update (lane)', 'delete'],
  // `available_at`: those behind a paused operation come back when it does.
  delayed: ['select', 'insert', 'update (lane, available_at)', 'delete'],
  // `settled_at`: retention locks the rows.
  outcomes: ['select', 'insert', 'update (settled_at)', 'delete'],
  chunks: ['select', 'insert', 'update (notify, notified_at, unrouted)', 'delete'],
  batch_operations: ['select'],
  lanes: ['select', 'insert', 'update (lane)'],
  lane_blocks: ['select', 'insert', 'update', 'delete'],
  pauses: ['select', 'insert', 'update', 'delete'],
  workers: ['select', 'insert', 'update (seen_at, closed_lanes, moving_targets)', 'delete'],
  stats_samples: ['select', 'insert', 'delete'],
  message_attempts: ['select', 'insert', 'update (attempts, last_at)', 'delete'],
  parked_notifications: ['select', 'insert', 'update', 'delete'],
  alerts: ['select', 'insert', 'update', 'delete'],
  alert_deliveries: ['select', 'insert', 'update', 'delete'],
  bulk_actions: [
    'select',
    'insert',
    'update (matched, done, skipped, after_seq, again, failures, error, status, leased_by, leased_until, updated_at, ended_at)',
    'delete',
  ],
  // A deleted action takes these with it.
  bulk_steps: ['select', 'insert'],
  // The table only grows: the service can neither change nor delete what it has written.
  audit: ['select', 'insert'],
  // Used by the command `keys`.
  api_keys: ['select', 'insert', 'update (revoked_at, secret_box, secret_version)'],
  // Of the batch engine. `last_started_at`: it locks the rows.
  job_instances: ['select', 'insert', 'update (last_started_at)', 'delete'],
  job_executions: ['select', 'insert', 'update', 'delete'],
  // A deleted execution takes these with it.
  step_executions: ['select', 'insert', 'update'],
  skipped_items: ['select', 'insert'],
  scheduled_jobs: ['select', 'insert', 'update'],
  batch_schema_versions: ['select'],
  migrations: ['select'],
  // `usage` allows nextval.
  requeue_epoch: ['select', 'usage'],
};

/** The functions that the service and its jobs call. */
const RUNTIME_FUNCTIONS: readonly string[] = [...SERVICE_FUNCTIONS.map(({ name }) => name), ...ITEM_FUNCTIONS];

/** The relations that are sequences. */
const SEQUENCES: ReadonlySet<string> = new Set(['requeue_epoch']);

/**
 * Grants the role that runs the service these rights, and no others. It does so in one transaction: a service that runs
 * meanwhile sees either the old rights or the new ones.
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
      ...RUNTIME_FUNCTIONS.map((name) => `grant execute on function batch.${name} to ${runtime}`),
    ].join(';\n'),
  };
}

/** The rights that the service needs and the session's role lacks, such as `insert on operations`. */
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
      end, false)
      union all
      select 'execute on function ' || f.name
      from unnest($5::text[]) f(name)
      where not exists (
        select from pg_proc p
        where p.pronamespace = to_regnamespace('batch') and p.proname = f.name and has_function_privilege(p.oid, 'execute')
      )`,
    values: [
      needed.map(({ name }) => name),
      needed.map(({ verb }) => verb),
      needed.map(({ column }) => column),
      needed.map(({ name }) => SEQUENCES.has(name)),
      [...RUNTIME_FUNCTIONS],
    ],
  };
}

const kindOf = (name: string): string => (SEQUENCES.has(name) ? 'sequence' : 'table');

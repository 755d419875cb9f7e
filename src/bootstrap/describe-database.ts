import { TargetList } from '../services/catalog/target-list.js';
import { tableId } from '../services/catalog/target-name.js';
import type { Settings } from '../services/config/settings.js';
import { SCHEMA } from '../services/database/data-source.js';
import type { DatabaseFacts } from '../services/database/session.sql.js';

const NAMED = 5;

/** What the service cannot promise on this database: one warning each, with the cure. */
export function describeDatabase(facts: DatabaseFacts, { intake, database, environment }: Settings): string[] {
  const server = `PostgreSQL on ${database.host}:${database.port}`;
  const warnings: string[] = [];
  if (facts.fsync === 'off') {
    warnings.push(
      `NOT DURABLE: ${server} has fsync=off. A crash of its machine may lose accepted and completed operations, or damage ` +
        'the database. Set fsync=on.',
    );
  }
  if (facts.fullPageWrites === 'off') {
    warnings.push(
      `NOT DURABLE: ${server} has full_page_writes=off. A crash of its machine may damage the database, unless its storage ` +
        'writes pages of 8 kB whole. Set full_page_writes=on.',
    );
  }
  if (facts.synchronousCommit !== 'on' && facts.synchronousCommit !== 'remote_apply') {
    warnings.push(
      `NOT DURABLE: sessions of the service have synchronous_commit=${facts.synchronousCommit}, although the service sets it to on. ` +
        'A crash may lose accepted and completed operations. Check whether there is a connection pooler in transaction mode ' +
        'in between, and connect to PostgreSQL itself.',
    );
  }
  if (facts.sessionReplicationRole !== 'origin') {
    warnings.push(
      `NOT CHECKED: sessions of the service have session_replication_role=${facts.sessionReplicationRole}. Foreign keys and triggers ` +
        `do not run. Reset it for the role "${database.username}" and the database "${database.name}".`,
    );
  }
  if (facts.inRecovery) {
    warnings.push(
      `READ ONLY: ${server} is a standby. No operation can be accepted or executed until it is promoted. Set DB_HOST to the primary.`,
    );
  }
  if (facts.superuser && environment === 'production') {
    warnings.push(
      `SUPERUSER: the user "${database.username}" is a superuser of ${server}. Everybody who gets its password, or uses a fault in the ` +
        'service, controls the whole server. Create roles with scripts/roles.sql, and set DB_USERNAME to the one that runs the service.',
    );
  }
  const unlogged = unloggedOf(facts, TargetList.allowed(intake.allowedTargets));
  if (unlogged.length > 0) {
    warnings.push(
      `NOT DURABLE: a crash of the server empties unlogged tables, and completed operations on them are lost: ${listed(unlogged)}. ` +
        'Use `alter table … set logged`.',
    );
  }
  return warnings;
}

/** Unlogged tables of the service, and those that operations may name. */
function unloggedOf({ unlogged }: DatabaseFacts, targets: TargetList): string[] {
  return unlogged.filter((table) => table.schema === SCHEMA || targets.includes(table)).map(tableId);
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMED;
  return [...names.slice(0, NAMED), ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}

import type { AuditAct } from '../../interfaces/audit.js';
import type { IBulkAction } from '../../interfaces/bulk-action.js';
import type { Json } from '../../interfaces/json.js';
import type { SqlClient } from '../../interfaces/sql.js';
import type { NewAuditEntry } from '../audit/audit.sql.js';
import { ServiceError } from '../errors/service-error.js';
import { selectAction, type ActionRow } from './bulk-actions.sql.js';

/** @throws ServiceError BULK_ACTION_NOT_FOUND */
export async function findAction(sql: Pick<SqlClient, 'query'>, id: string): Promise<IBulkAction> {
  const row = await findRow(sql, id);
  if (row === undefined) throw notFound(id);
  return toAction(row);
}

export async function findRow(sql: Pick<SqlClient, 'query'>, id: string): Promise<ActionRow | undefined> {
  return (await sql.query<ActionRow>(selectAction(id))).rows[0];
}

export function notFound(id: string): ServiceError {
  return new ServiceError('BULK_ACTION_NOT_FOUND', `There is no bulk action ${id}`, { id });
}

export function toAction(row: ActionRow): IBulkAction {
  return {
    id: row.id,
    action: row.action,
    filter: row.filter,
    status: row.status,
    matched: Number(row.matched),
    done: Number(row.done),
    skipped: Number(row.skipped),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    ...(row.endedAt !== null && { endedAt: row.endedAt.toISOString() }),
    ...(row.createdBy !== null && { createdBy: row.createdBy }),
    ...(row.error !== null && { error: row.error }),
  };
}

/** The entry of the beginning and that of the end differ in status and counts. */
export function entryOf(row: ActionRow, act: AuditAct, actor: string | undefined): NewAuditEntry {
  const { id, filter, status, matched, done, skipped } = toAction(row);
  const details = { action: row.action, filter: { ...filter } as Json, status, matched, done, skipped };
  return { act, actor, subject: { kind: 'bulk_action', id }, details };
}

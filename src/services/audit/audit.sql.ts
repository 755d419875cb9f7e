import type { AuditAct, AuditSubject } from '../../interfaces/audit.js';
import type { Json } from '../../interfaces/json.js';
import { encodeTexts } from '../../batch/sql/encode-texts.js';
import type { SqlStatement } from '../../interfaces/sql.js';

export interface NewAuditEntry {
  act: AuditAct;
  /** See `callerName`. Undefined: nothing is known of the caller. */
  actor: string | undefined;
  subject: { kind: AuditSubject; id: string };
  details?: Readonly<Record<string, Json>>;
}

/** Run it in the transaction of the act, so that neither is stored without the other. */
export function insertAudit(entries: readonly NewAuditEntry[]): SqlStatement {
  const texts = (of: (entry: NewAuditEntry) => string | undefined): string =>
    encodeTexts(entries.map((entry) => of(entry) ?? null));
  return {
    name: 'batch.insert_audit',
    text: `
      insert into batch.audit (act, actor, subject_kind, subject, details)
      select act, actor, subject_kind, subject, details::jsonb
      from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
        with ordinality e(act, actor, subject_kind, subject, details, ord)
      order by ord`,
    values: [
      texts(({ act }) => act),
      texts(({ actor }) => actor && storable(actor)),
      texts(({ subject }) => subject.kind),
      texts(({ subject }) => storable(subject.id)),
      texts(({ details = {} }) => detailsText(details)),
    ],
  };
}

export function detailsText(details: Readonly<Record<string, Json>>): string {
  return JSON.stringify(details, (_, value: unknown) => (typeof value === 'string' ? storable(value) : value));
}

/**
 * What was done to an operation, oldest first, as JSON. For a query in which `v` is the operation. A bulk action has one
 * entry in the audit for its beginning and one for its end; its steps say which operations it has changed.
 */
export const ACTS_OF_OPERATION = `(
          select json_agg(json_build_object('at', a.at, 'act', a.act, 'by', a.actor, 'bulkActionId', a.bulk_action) order by a.at)
          from (
            select at, act, actor, null::uuid as bulk_action from batch.audit
            where subject_kind = 'operation' and subject = v.id::text
            union all
            select s.at, b.action, b.created_by, b.id
            from batch.bulk_steps s join batch.bulk_actions b on b.seq = s.action where s.seqs @> v.seq
          ) a
        )`;

/** PostgreSQL accepts no NUL in a text, and no lone surrogate in JSON. */
function storable(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed();
}

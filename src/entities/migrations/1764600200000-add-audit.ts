import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who did what: kept in a table that can only grow. Of what was done before it nothing is known. */
export class AddAudit1764600200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`create table batch.audit (
      id bigint not null generated always as identity constraint audit_pkey primary key,
      at timestamptz not null default now(),
      act text not null,
      actor text,
      subject_kind text not null,
      subject text not null,
      details jsonb not null
    )`);
    await runner.query('create index audit_subject_idx on batch.audit (subject, subject_kind)');
    await runner.query(`comment on table batch.audit is 'Who did what: append-only, see docs/access.md.'`);
    await runner.query(`create function batch.refuse_change_of_audit() returns trigger language plpgsql as $$
      begin
        raise exception 'batch.audit only grows: % is refused', lower(tg_op)
          using errcode = 'insufficient_privilege',
            hint = 'Its owner may delete what is old, as docs/access.md describes.';
      end $$`);
    await runner.query(`create trigger audit_only_grows before update or delete or truncate on batch.audit
      for each statement execute function batch.refuse_change_of_audit()`);
    // Also in a session that says it only replicates.
    await runner.query('alter table batch.audit enable always trigger audit_only_grows');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table batch.audit');
    await runner.query('drop function batch.refuse_change_of_audit()');
  }
}

import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { AuditAct, AuditSubject } from '../interfaces/audit.js';

/** Who did what. Append-only: a trigger refuses everything but inserts. */
@Entity({ schema: 'batch', name: 'audit', comment: 'Who did what: append-only, see docs/access.md.' })
@Index('audit_subject_idx', ['subject', 'subjectKind'])
export class AuditEntity {
  @PrimaryColumn({
    type: 'bigint',
    primaryKeyConstraintName: 'audit_pkey',
    generated: 'identity',
    generatedIdentity: 'ALWAYS',
  })
  id!: string;

  @Column({ type: 'timestamptz', default: () => 'now()' })
  at!: Date;

  @Column({ type: 'text' })
  act!: AuditAct;

  /** See `callerName`; null: nothing was known of the caller. */
  @Column({ type: 'text', nullable: true })
  actor!: string | null;

  @Column({ name: 'subject_kind', type: 'text' })
  subjectKind!: AuditSubject;

  @Column({ type: 'text' })
  subject!: string;

  @Column({ type: 'jsonb' })
  details!: object;
}

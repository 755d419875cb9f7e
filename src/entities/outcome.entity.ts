import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** An outcome that is not an ordinary success: failed, cancelled, no row matched, or more than one attempt. */
@Entity({
  schema: 'batch',
  name: 'outcomes',
  comment: 'What is not an ordinary success: failed, cancelled, no row matched, more than one attempt.',
})
@Check('outcomes_status_check', `status in ('completed', 'failed', 'cancelled')`)
@Index('outcomes_status_idx', ['status', 'seq'])
// It has an expression, which TypeORM cannot describe.
@Index('outcomes_failed_kind_idx', { synchronize: false })
@Index('outcomes_failed_code_idx', ['code', 'seq'], { where: `(status = 'failed'::text)` })
@Index('outcomes_failed_constraint_idx', ['constraintName', 'seq'], {
  where: `((status = 'failed'::text) AND (constraint_name IS NOT NULL))`,
})
export class OutcomeEntity {
  @PrimaryColumn({ type: 'bigint', primaryKeyConstraintName: 'outcomes_pkey' })
  seq!: string;

  @Column({ type: 'text' })
  status!: 'completed' | 'failed' | 'cancelled';

  @Column({ name: 'rows_affected', type: 'integer' })
  rowsAffected!: number;

  @Column({ type: 'smallint' })
  attempts!: number;

  @Column({ type: 'text', nullable: true })
  code!: string | null;

  @Column({ type: 'text', nullable: true })
  message!: string | null;

  @Column({ name: 'constraint_name', type: 'text', nullable: true })
  constraintName!: string | null;

  @Column({ name: 'column_name', type: 'text', nullable: true })
  columnName!: string | null;

  @Column({ name: 'sql_state', type: 'text', nullable: true })
  sqlState!: string | null;

  /** Null for a cancelled operation: no chunk settled it. */
  @Index('outcomes_chunk_id_idx')
  @Column({ name: 'chunk_id', type: 'bigint', nullable: true })
  chunkId!: string | null;

  @Index('outcomes_settled_at_idx')
  @Column({ name: 'settled_at', type: 'timestamptz', default: () => 'now()' })
  settledAt!: Date;
}

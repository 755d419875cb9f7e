import { Check, Column, Entity, Index, PrimaryGeneratedColumn, Unique } from 'typeorm';

/** What was requested for all operations that match a filter, and how far it is. */
@Entity({
  schema: 'batch',
  name: 'bulk_actions',
  comment: 'What was requested for all operations that match a filter, and how far it is.',
})
@Unique('bulk_actions_id_key', ['id'])
@Check('bulk_actions_action_check', `action in ('retry', 'cancel', 'erase')`)
@Check('bulk_actions_status_check', `status in ('running', 'completed', 'stopped', 'failed')`)
@Index('bulk_actions_running_idx', ['leasedUntil'], { where: `(status = 'running'::text)` })
export class BulkActionEntity {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'bulk_actions_pkey',
  })
  seq!: string;

  @Column({ type: 'uuid' })
  id!: string;

  @Column({ type: 'text' })
  action!: string;

  @Column({ type: 'text', default: 'running' })
  status!: string;

  /** As it was requested. */
  @Column({ type: 'jsonb' })
  filter!: object;

  /** The targets to which its caller is limited. Null: any. */
  @Column({ type: 'jsonb', nullable: true })
  reach!: object | null;

  @Column({ type: 'bigint' })
  matched!: string;

  @Column({ type: 'bigint', default: 0 })
  done!: string;

  @Column({ type: 'bigint', default: 0 })
  skipped!: string;

  /** Its operations up to this `seq` were examined. */
  @Column({ name: 'after_seq', type: 'bigint', default: 0 })
  afterSeq!: string;

  /** It leaves later operations alone. */
  @Column({ name: 'last_seq', type: 'bigint' })
  lastSeq!: string;

  /** Some operations could not be changed yet, so it begins once more. */
  @Column({ type: 'boolean', default: false })
  again!: boolean;

  /** Steps in a row that did not succeed. */
  @Column({ type: 'smallint', default: 0 })
  failures!: number;

  @Column({ type: 'text', nullable: true })
  error!: string | null;

  /** The process that works on it, until the lease ends. */
  @Column({ name: 'leased_by', type: 'uuid', nullable: true })
  leasedBy!: string | null;

  @Column({ name: 'leased_until', type: 'timestamptz' })
  leasedUntil!: Date;

  @Column({ name: 'created_at', type: 'timestamptz', default: () => 'now()' })
  createdAt!: Date;

  @Column({ name: 'updated_at', type: 'timestamptz', default: () => 'now()' })
  updatedAt!: Date;

  @Column({ name: 'ended_at', type: 'timestamptz', nullable: true })
  endedAt!: Date | null;

  /** See `callerName`. */
  @Column({ name: 'created_by', type: 'text', nullable: true })
  createdBy!: string | null;
}

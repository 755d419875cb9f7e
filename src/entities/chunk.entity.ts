import { Column, Entity, Index, PrimaryGeneratedColumn, VirtualColumn } from 'typeorm';

/** One committed transaction of the poller. */
@Entity({
  schema: 'batch',
  name: 'chunks',
  comment: 'One row for each committed chunk: which operations, how many statements, how long.',
})
@Index('chunks_failed_idx', ['id'], { where: 'failed > 0' })
@Index('chunks_fallback_idx', ['id'], { where: 'fallback' })
@Index('chunks_unnotified_idx', ['id'], { where: 'notify and notified_at is null' })
export class ChunkEntity {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'chunks_pkey',
  })
  id!: string;

  /** The `seq`s of its operations. */
  @Index('chunks_seqs_idx', { spatial: true })
  @Column({ type: 'int8multirange', select: false })
  seqs!: string;

  /** Host and process. */
  @Column({ type: 'text' })
  worker!: string;

  @Column({ type: 'integer' })
  operations!: number;

  @Column({ type: 'integer' })
  completed!: number;

  @Column({ type: 'integer' })
  failed!: number;

  /** Operations that failed here and are retried later; they are not among `operations`. */
  @Column({ type: 'integer', default: 0 })
  deferred!: number;

  @Column({ type: 'integer' })
  groups!: number;

  @Column({ type: 'integer' })
  statements!: number;

  @Column({ type: 'boolean' })
  fallback!: boolean;

  /** False when the service had nowhere to send notifications. */
  @Column({ type: 'boolean' })
  notify!: boolean;

  @Column({ name: 'started_at', type: 'timestamptz' })
  startedAt!: Date;

  @Index('chunks_settled_at_idx')
  @Column({ name: 'settled_at', type: 'timestamptz' })
  settledAt!: Date;

  @Column({ name: 'duration_ms', type: 'integer' })
  durationMs!: number;

  /** Where `durationMs` went: see `IChunkPhases`. */
  @Column({ name: 'claim_ms', type: 'real', nullable: true })
  claimMs!: number | null;

  @Column({ name: 'read_ms', type: 'real', nullable: true })
  readMs!: number | null;

  @Column({ name: 'plan_ms', type: 'real', nullable: true })
  planMs!: number | null;

  @Column({ name: 'execute_ms', type: 'real', nullable: true })
  executeMs!: number | null;

  @Column({ name: 'settle_ms', type: 'real', nullable: true })
  settleMs!: number | null;

  @Column({ name: 'notified_at', type: 'timestamptz', nullable: true })
  notifiedAt!: Date | null;

  /** Sources that had no queue when the notifications of the chunk were published. */
  @Column({ type: 'text', array: true, nullable: true })
  unrouted!: string[] | null;

  /** Sources that are not notified yet, because the broker refuses the notification. Null: none. */
  @VirtualColumn({
    type: 'text',
    query: (chunk) =>
      `select array_agg(n.source order by n.source) from batch.parked_notifications n where n.chunk_id = ${chunk}.id`,
  })
  parked!: string[] | null;

  /** The groups of its operations: see `encodeMembers`. */
  @Column({ type: 'bytea', nullable: true, select: false })
  members!: Buffer | null;

  /** Its groups: `ChunkPlan`. */
  @Column({ type: 'json', nullable: true, select: false })
  plan!: unknown;
}

import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The state of the queue at the end of an interval of ten seconds, and what happened in it. */
@Entity({
  schema: 'batch',
  name: 'stats_samples',
  comment: 'The state of the queue every ten seconds, and what happened in between. Kept for an hour.',
})
export class StatsSampleEntity {
  /** The end of its interval. */
  @PrimaryColumn({ type: 'timestamptz', primaryKeyConstraintName: 'stats_samples_pkey' })
  at!: Date;

  /** The last operation that was stored. The next sample counts those after it. */
  @Column({ name: 'last_seq', type: 'bigint' })
  lastSeq!: string;

  /** All operations in `pending`. */
  @Column({ type: 'bigint' })
  pending!: string;

  /** All operations in `delayed`. */
  @Column({ type: 'bigint' })
  scheduled!: string;

  /** All failed operations that are kept. */
  @Column({ name: 'kept_failures', type: 'bigint' })
  keptFailures!: string;

  @Column({ name: 'lag_ms', type: 'double precision' })
  lagMs!: number;

  /** Null where the sample before this one is missing. */
  @Column({ type: 'integer', nullable: true })
  accepted!: number | null;

  @Column({ type: 'integer' })
  completed!: number;

  @Column({ type: 'integer' })
  failed!: number;

  @Column({ type: 'integer' })
  chunks!: number;

  /** Percentiles of the durations of chunks. Null without chunks. */
  @Column({ name: 'chunk_p50_ms', type: 'integer', nullable: true })
  chunkP50Ms!: number | null;

  @Column({ name: 'chunk_p95_ms', type: 'integer', nullable: true })
  chunkP95Ms!: number | null;

  @Column({ name: 'chunk_p99_ms', type: 'integer', nullable: true })
  chunkP99Ms!: number | null;

  @Column({ type: 'integer' })
  workers!: number;

  @Column({ name: 'blocked_lanes', type: 'integer' })
  blockedLanes!: number;

  /** Failed operations by code. Null: none failed. */
  @Column({ name: 'failed_by_code', type: 'jsonb', nullable: true })
  failedByCode!: Record<string, number> | null;
}

import { Check, Column, Entity, PrimaryGeneratedColumn, Unique } from 'typeorm';
import type { Json } from '../interfaces/json.js';

/** What a caller asked for. Written once. Only its lane changes, when tables are tied together. */
@Entity({
  schema: 'batch',
  name: 'operations',
  comment: 'What was asked. Written once; the other tables say what became of it.',
})
@Unique('operations_id_key', ['id'])
@Check('operations_priority_check', 'priority between 0 and 9')
export class OperationEntity {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'operations_pkey',
  })
  seq!: string;

  @Column({ type: 'uuid' })
  id!: string;

  /** `shapes.id` */
  @Column({ type: 'int' })
  shape!: number;

  /** One value for each column of the shape, its key columns first. */
  @Column({ type: 'jsonb' })
  values!: Json[];

  @Column({ type: 'smallint', default: 0 })
  priority!: number;

  @Column({ name: 'run_at', type: 'timestamptz', nullable: true })
  runAt!: Date | null;

  /** How often it may be tried again after a failure that is in `retryOn`. */
  @Column({ name: 'retry_limit', type: 'smallint', nullable: true })
  retryLimit!: number | null;

  @Column({ name: 'retry_on', type: 'text', array: true, nullable: true })
  retryOn!: string[] | null;

  @Column({ type: 'text', nullable: true })
  source!: string | null;

  /** Who sent it, see `callerName`. */
  @Column({ name: 'created_by', type: 'text', nullable: true })
  createdBy!: string | null;

  /** The span that took it in, as W3C's `traceparent`. Null: its request is not traced. */
  @Column({ name: 'trace_context', type: 'text', nullable: true })
  traceContext!: string | null;

  @Column({ type: 'smallint' })
  lane!: number;

  @Column({ name: 'created_at', type: 'timestamptz', default: () => 'clock_timestamp()' })
  createdAt!: Date;

  /** When its key and values were deleted for good. Null: they are there. */
  @Column({ name: 'erased_at', type: 'timestamptz', nullable: true })
  erasedAt!: Date | null;
}

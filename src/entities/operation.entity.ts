import { Check, Column, Entity, PrimaryGeneratedColumn, Unique } from 'typeorm';
import type { JsonRow } from '../interfaces/json.js';
import type { OperationType } from '../interfaces/operation.js';

/** What was asked. Written once; only its lane follows when tables are tied together. */
@Entity({
  schema: 'batch',
  name: 'operations',
  comment: 'What was asked. Written once; the other tables say what became of it.',
})
@Unique('operations_id_key', ['id'])
@Check('operations_type_check', `type in ('insert', 'upsert', 'update', 'increment', 'delete')`)
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

  @Column({ type: 'text' })
  type!: OperationType;

  @Column({ type: 'text' })
  target!: string;

  @Column({ type: 'json', nullable: true })
  key!: JsonRow | null;

  @Column({ type: 'json', nullable: true })
  values!: JsonRow | null;

  @Column({ name: 'on_conflict', type: 'text', nullable: true })
  onConflict!: 'error' | 'ignore' | null;

  @Column({ name: 'conflict_key', type: 'text', array: true, nullable: true })
  conflictKey!: string[] | null;

  @Column({ name: 'must_exist', type: 'boolean', default: false })
  mustExist!: boolean;

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

  /** Who handed it in, see `callerName`. */
  @Column({ name: 'created_by', type: 'text', nullable: true })
  createdBy!: string | null;

  @Column({ type: 'smallint' })
  lane!: number;

  @Column({ name: 'created_at', type: 'timestamptz', default: () => 'now()' })
  createdAt!: Date;
}

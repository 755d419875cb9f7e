import { Check, Column, Entity, PrimaryGeneratedColumn, Unique } from 'typeorm';
import type { OperationType } from '../interfaces/operation.js';

/** What operations of the same kind have in common: everything of a request but its values. Written once. */
@Entity({
  schema: 'batch',
  name: 'shapes',
  comment: 'What operations of the same kind have in common. `operations.values` holds the values, keys first.',
})
@Unique('shapes_hash_key', ['hash'])
@Check('shapes_type_check', `type in ('insert', 'upsert', 'update', 'increment', 'delete')`)
export class ShapeEntity {
  @PrimaryGeneratedColumn('identity', {
    type: 'int',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'shapes_pkey',
  })
  id!: number;

  /** Of all other columns: see `batch.store_shape`. */
  @Column({ type: 'uuid' })
  hash!: string;

  @Column({ type: 'text' })
  type!: OperationType;

  @Column({ type: 'text' })
  target!: string;

  /** Null when operations have no key, or when `byColumn` is false. */
  @Column({ name: 'key_columns', type: 'text', array: true, nullable: true })
  keyColumns!: string[] | null;

  /** As `keyColumns`. */
  @Column({ name: 'value_columns', type: 'text', array: true, nullable: true })
  valueColumns!: string[] | null;

  /** The places, from 0, of values that are the texts of JSON documents. */
  @Column({ type: 'smallint', array: true })
  documents!: number[];

  /** False: an operation has two values, its `key` and its `values`, each as the text of a JSON object or null. */
  @Column({ name: 'by_column', type: 'boolean' })
  byColumn!: boolean;

  @Column({ name: 'on_conflict', type: 'text', nullable: true })
  onConflict!: 'error' | 'ignore' | null;

  @Column({ name: 'conflict_key', type: 'text', array: true, nullable: true })
  conflictKey!: string[] | null;

  @Column({ name: 'must_exist', type: 'boolean' })
  mustExist!: boolean;
}

import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryGeneratedColumn } from 'typeorm';
import { BulkActionEntity } from './bulk-action.entity.js';

/** The operations that a step of a bulk action has changed. */
@Entity({
  schema: 'batch',
  name: 'bulk_steps',
  comment: 'The operations that each step of a bulk action has changed.',
})
@Index('bulk_steps_action_idx', ['action'])
export class BulkStepEntity {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'bulk_steps_pkey',
  })
  id!: string;

  @ManyToOne(() => BulkActionEntity, { nullable: false, onDelete: 'CASCADE' })
  @JoinColumn({ name: 'action', foreignKeyConstraintName: 'bulk_steps_action_fkey' })
  action!: BulkActionEntity;

  @Column({ type: 'timestamptz', default: () => 'now()' })
  at!: Date;

  /** The `seq`s of its operations. */
  @Index('bulk_steps_seqs_idx', { spatial: true })
  @Column({ type: 'int8multirange' })
  seqs!: string;
}

import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** An operation that waits for its time, and then moves to `pending`. */
@Entity({ schema: 'batch', name: 'delayed', comment: 'Operations that wait for their time.' })
export class DelayedOperationEntity {
  @PrimaryColumn({ type: 'bigint', primaryKeyConstraintName: 'delayed_pkey' })
  seq!: string;

  @Index('delayed_available_at_idx')
  @Column({ name: 'available_at', type: 'timestamptz' })
  availableAt!: Date;

  @Column({ type: 'smallint' })
  priority!: number;

  @Column({ type: 'smallint' })
  lane!: number;

  @Column({ type: 'smallint', default: 0 })
  attempts!: number;

  @Column({ name: 'size_kb', type: 'smallint', default: 1 })
  sizeKb!: number;

  @Column({ type: 'text', default: 'scheduled' })
  reason!: string;
}

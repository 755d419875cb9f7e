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

  @Index('delayed_waiting_idx', { where: `(reason = ANY (ARRAY['retry'::text, 'behind'::text]))` })
  @Column({ type: 'smallint' })
  lane!: number;

  @Column({ type: 'smallint', default: 0 })
  attempts!: number;

  @Column({ name: 'size_kb', type: 'smallint', default: 1 })
  sizeKb!: number;

  /** `scheduled`: for its `runAt`; `retry`: it failed and is tried again; `behind`: for an earlier one on the same row. */
  @Column({ type: 'text', default: 'scheduled' })
  reason!: string;

  /** What its row is known by; null for what is scheduled. See `services/retry/row-keys.reader.ts`. */
  @Index('delayed_row_keys_idx', { type: 'gin' })
  @Column({ name: 'row_keys', type: 'bigint', array: true, nullable: true })
  rowKeys!: string[] | null;

  /** What it met at its last attempt. */
  @Column({ type: 'text', nullable: true })
  code!: string | null;

  @Column({ type: 'text', nullable: true })
  message!: string | null;
}

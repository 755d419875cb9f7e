import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

const SCHEDULED = `(reason = 'scheduled'::text)`;
const PAUSED = `(reason = 'paused'::text)`;
const WAITING = `(reason = ANY (ARRAY['retry'::text, 'blocked'::text, 'paused'::text]))`;
const RETRIED = `(reason = ANY (ARRAY['retry'::text, 'blocked'::text]))`;

/** An operation that waits for its time, and then moves to `pending`. */
@Entity({ schema: 'batch', name: 'delayed', comment: 'Operations that wait for their time.' })
@Index('delayed_scheduled_idx', ['availableAt', 'seq'], { where: SCHEDULED })
@Index('delayed_scheduled_lane_idx', ['lane', 'availableAt', 'seq'], { where: SCHEDULED })
@Index('delayed_retried_idx', ['availableAt', 'seq'], { where: RETRIED })
@Index('delayed_paused_idx', ['pausedSource', 'seq'], { where: PAUSED })
export class DelayedOperationEntity {
  @PrimaryColumn({ type: 'bigint', primaryKeyConstraintName: 'delayed_pkey' })
  seq!: string;

  /** `infinity` while a pause keeps it here, or keeps an earlier one on its row. */
  @Column({ name: 'available_at', type: 'timestamptz' })
  availableAt!: Date;

  @Column({ type: 'smallint' })
  priority!: number;

  @Index('delayed_waiting_idx', { where: WAITING })
  @Column({ type: 'smallint' })
  lane!: number;

  @Column({ type: 'smallint', default: 0 })
  attempts!: number;

  @Column({ name: 'size_kb', type: 'smallint', default: 1 })
  sizeKb!: number;

  /** As in `pending`. */
  @Column({ type: 'int', default: 0 })
  party!: number;

  /** As in `operations`. */
  @Column({ type: 'int' })
  shape!: number;

  /**
   * `scheduled`: it waits for its `runAt`; `retry`: for its next attempt; `blocked`: for an earlier one on its row;
   * `paused`: its source is paused.
   */
  @Column({ type: 'text', default: 'scheduled' })
  reason!: string;

  /** The source whose pause it waits for. */
  @Column({ name: 'paused_source', type: 'text', nullable: true })
  pausedSource!: string | null;

  /** The keys of its rows; null for a scheduled operation. See `services/retry/row-keys.reader.ts`. */
  @Index('delayed_row_keys_idx', { type: 'gin' })
  @Column({ name: 'row_keys', type: 'bigint', array: true, nullable: true })
  rowKeys!: string[] | null;

  /** The failure of its last attempt. */
  @Column({ type: 'text', nullable: true })
  code!: string | null;

  @Column({ type: 'text', nullable: true })
  message!: string | null;
}

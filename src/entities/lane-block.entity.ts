import { Column, Entity, PrimaryColumn, VirtualColumn } from 'typeorm';
import type { FaultKind } from '../interfaces/lane.js';

/** A blocked lane: its first operation failed several times alone, but is not the cause. */
@Entity({
  schema: 'batch',
  name: 'lane_blocks',
  comment: "Blocked lanes: their first operation met a fault of nobody's, such as a lock.",
})
export class LaneBlockEntity {
  @PrimaryColumn({ type: 'smallint', primaryKeyConstraintName: 'lane_blocks_pkey' })
  lane!: number;

  /** The operation that met it. */
  @Column({ type: 'bigint' })
  seq!: string;

  /** Its `id`. */
  @VirtualColumn({
    type: 'uuid',
    query: (fault) => `select o.id from batch.operations o where o.seq = ${fault}.seq`,
  })
  operationId!: string;

  /** The tables of the lane. */
  @VirtualColumn({
    type: 'text',
    query: (fault) => `array(select l.target from batch.lanes l where l.lane = ${fault}.lane order by 1)`,
  })
  targets!: string[];

  @Column({ type: 'integer' })
  failures!: number;

  /** The kind of its last failure: transient, systemic, operation, unknown or bug. */
  @Column({ type: 'text', default: 'transient' })
  kind!: FaultKind;

  @Column({ name: 'sql_state', type: 'text', nullable: true })
  sqlState!: string | null;

  @Column({ type: 'text' })
  message!: string;

  /** Host and process that met it last. */
  @Column({ type: 'text' })
  worker!: string;

  @Column({ name: 'first_failed_at', type: 'timestamptz', default: () => 'now()' })
  firstFailedAt!: Date;

  @Column({ name: 'next_try_at', type: 'timestamptz' })
  nextTryAt!: Date;

  /** Not tried any more until somebody resumes the lane or cancels the operation. */
  @Column({ name: 'parked_at', type: 'timestamptz', nullable: true })
  parkedAt!: Date | null;
}

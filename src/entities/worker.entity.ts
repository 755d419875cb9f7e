import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A process that executes operations. */
@Entity({
  schema: 'batch',
  name: 'workers',
  comment: 'Processes that execute operations. One that was not seen for a few seconds is gone.',
})
export class WorkerEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'workers_pkey' })
  id!: string;

  /** Host and process. */
  @Column({ type: 'text' })
  name!: string;

  @Column({ name: 'started_at', type: 'timestamptz', default: () => 'now()' })
  startedAt!: Date;

  @Column({ name: 'seen_at', type: 'timestamptz', default: () => 'now()' })
  seenAt!: Date;

  /** Nothing is executed in these lanes before `movingTargets` have moved. */
  @Column({ name: 'closed_lanes', type: 'smallint', array: true, default: '{}' })
  closedLanes!: number[];

  /** Tables that get another lane when no open transaction has created operations for any of them. */
  @Column({ name: 'moving_targets', type: 'text', array: true, default: '{}' })
  movingTargets!: string[];
}

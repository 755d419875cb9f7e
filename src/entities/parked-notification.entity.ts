import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The notification of a source about a chunk that the broker refuses, while it takes other notifications. */
@Entity({
  schema: 'batch',
  name: 'parked_notifications',
  comment: 'Notifications that the broker refuses while it takes others. They are tried again seldom.',
})
export class ParkedNotificationEntity {
  @PrimaryColumn({ name: 'chunk_id', type: 'bigint', primaryKeyConstraintName: 'parked_notifications_pkey' })
  chunkId!: string;

  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'parked_notifications_pkey' })
  source!: string;

  /** The reason, as the broker gave it. */
  @Column({ type: 'text' })
  reason!: string;

  /** How often it was refused. */
  @Column({ type: 'integer' })
  failures!: number;

  @Column({ name: 'parked_at', type: 'timestamptz' })
  parkedAt!: Date;

  @Column({ name: 'next_try_at', type: 'timestamptz' })
  nextTryAt!: Date;
}

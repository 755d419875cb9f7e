import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';

/** A message of an alert to one channel. */
@Entity({
  schema: 'batch',
  name: 'alert_deliveries',
  comment: 'Messages of alerts, one for each channel. They are tried until they are sent, or for a day.',
})
@Index('alert_deliveries_pending_idx', ['channel', 'id'], { where: 'sent_at is null and gave_up_at is null' })
export class AlertDeliveryEntity {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'alert_deliveries_pkey',
  })
  id!: string;

  @Index('alert_deliveries_alert_id_idx')
  @Column({ name: 'alert_id', type: 'bigint' })
  alertId!: string;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @Column({ name: 'next_try_at', type: 'timestamptz' })
  nextTryAt!: Date;

  @Column({ name: 'sent_at', type: 'timestamptz', nullable: true })
  sentAt!: Date | null;

  @Column({ name: 'gave_up_at', type: 'timestamptz', nullable: true })
  gaveUpAt!: Date | null;

  @Column({ type: 'integer', default: 0 })
  attempts!: number;

  @Column({ type: 'text' })
  channel!: string;

  @Column({ type: 'text' })
  event!: string;

  @Column({ type: 'text' })
  title!: string;

  @Column({ type: 'text' })
  text!: string;

  /** Why the last try failed. */
  @Column({ type: 'text', nullable: true })
  error!: string | null;
}

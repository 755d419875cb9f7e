import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A message that came back to the queue and was begun again. The row stays until the message has a result. */
@Entity({
  schema: 'batch',
  name: 'message_attempts',
  comment:
    'Messages that came back to the queue and are executed again. One that ends its process again and again is parked.',
})
export class MessageAttemptEntity {
  /** The first half of the SHA-256 of the message. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'message_attempts_pkey' })
  fingerprint!: string;

  /** How often it was begun without a known result. */
  @Column({ type: 'int2' })
  attempts!: number;

  @Column({ name: 'last_at', type: 'timestamptz' })
  lastAt!: Date;
}

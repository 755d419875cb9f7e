import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A message that came back to the queue and was begun again, until it comes to an end. */
@Entity({
  schema: 'batch',
  name: 'message_attempts',
  comment: 'Messages that came back to the queue and are executed again. One that ends its process twice is parked.',
})
export class MessageAttemptEntity {
  /** The first half of the SHA-256 of the message. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'message_attempts_pkey' })
  fingerprint!: string;

  /** How often it was begun without an end that is known. */
  @Column({ type: 'int2' })
  attempts!: number;

  @Column({ name: 'last_at', type: 'timestamptz' })
  lastAt!: Date;
}

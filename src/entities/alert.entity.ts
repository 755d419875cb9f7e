import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';

/** Something that an operator has to know. */
@Entity({
  schema: 'batch',
  name: 'alerts',
  comment: 'What operators are told of. An alert without resolved_at goes on; there is one of each rule and subject.',
})
@Index('alerts_firing_idx', ['rule', 'subject'], { unique: true, where: 'resolved_at is null' })
export class AlertEntity {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'alerts_pkey',
  })
  id!: string;

  @Column({ name: 'first_at', type: 'timestamptz' })
  firstAt!: Date;

  /** When its rule was met last. */
  @Column({ name: 'last_at', type: 'timestamptz' })
  lastAt!: Date;

  /** When its last message was stored. */
  @Column({ name: 'notified_at', type: 'timestamptz' })
  notifiedAt!: Date;

  @Index('alerts_resolved_at_idx')
  @Column({ name: 'resolved_at', type: 'timestamptz', nullable: true })
  resolvedAt!: Date | null;

  @Column({ type: 'text' })
  rule!: string;

  @Column({ type: 'text' })
  subject!: string;

  @Column({ type: 'text' })
  title!: string;

  @Column({ type: 'text' })
  text!: string;
}

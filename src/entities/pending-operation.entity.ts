import { Column, Entity, PrimaryColumn } from 'typeorm';

/** An operation that waits for the next chunk. The primary key is the order of execution. */
@Entity({ schema: 'batch', name: 'pending', comment: 'Operations that wait for the next chunk.' })
export class PendingOperationEntity {
  @PrimaryColumn({ type: 'smallint', primaryKeyConstraintName: 'pending_pkey' })
  lane!: number;

  @PrimaryColumn({ type: 'smallint', primaryKeyConstraintName: 'pending_pkey' })
  priority!: number;

  @PrimaryColumn({ type: 'bigint', primaryKeyConstraintName: 'pending_pkey' })
  seq!: string;

  /** Verdicts so far: more than 0 after a retry. */
  @Column({ type: 'smallint', default: 0 })
  attempts!: number;

  /** Size of the row in KiB, rounded down, plus 1. So a claim limits the bytes of a chunk without reading them. */
  @Column({ name: 'size_kb', type: 'smallint', default: 1 })
  sizeKb!: number;

  /** Whose share of the backlog it takes, see `services/backpressure/party.ts`. */
  @Column({ type: 'int', default: 0 })
  party!: number;

  /** As in `operations`, so that a claim knows the shape without reading the operation. */
  @Column({ type: 'int' })
  shape!: number;

  /** When it came back: released at its time, retried, or after a pause. Null: it waits since it was created. */
  @Column({ type: 'timestamptz', nullable: true })
  since!: Date | null;
}

import { Check, Column, Entity, PrimaryColumn } from 'typeorm';
import type { PauseKind } from '../interfaces/pause.js';

/** A lane, a table or a source that an operator has paused or drained. */
@Entity({
  schema: 'batch',
  name: 'pauses',
  comment: 'Lanes, tables and sources that an operator has paused or drained.',
})
@Check('pauses_kind_check', `kind = ANY (ARRAY['lane'::text, 'target'::text, 'source'::text])`)
export class PauseEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'pauses_pkey' })
  kind!: PauseKind;

  /** The number of the lane, the table as in `lanes.target`, or the source. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'pauses_pkey' })
  name!: string;

  /** True: new operations are refused, and what waits is executed. False: nothing of it is executed. */
  @Column({ type: 'boolean', default: false })
  drain!: boolean;

  @Column({ name: 'paused_at', type: 'timestamptz', default: () => 'now()' })
  pausedAt!: Date;

  @Column({ name: 'paused_by', type: 'text', nullable: true })
  pausedBy!: string | null;

  @Column({ type: 'text', nullable: true })
  reason!: string | null;
}

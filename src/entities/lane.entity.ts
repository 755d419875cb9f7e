import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The lane of a table that operations named, for every process alike. */
@Entity({
  schema: 'batch',
  name: 'lanes',
  comment: 'The lane of each table that operations named. Tables of one lane may influence one another.',
})
export class LaneEntity {
  /** `schema.table` */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'lanes_pkey' })
  target!: string;

  @Column({ type: 'smallint' })
  lane!: number;
}

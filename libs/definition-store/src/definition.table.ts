import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The definitions that this service owns. */
@Entity('definitions')
export class DefinitionRow {
  @PrimaryColumn('text')
  kind!: string;

  @PrimaryColumn('text')
  name!: string;

  /** Content hash of the spec. */
  @Column('text')
  version!: string;

  @Column('bigint')
  generation!: string;

  /** Canonical JSON of the whole document. */
  @Column('text')
  document!: string;

  @Column('text')
  phase!: 'pending' | 'ready';

  @Column('text', { name: 'changed_by' })
  changedBy!: string;
}

import type { EventRef } from '@headrace/contracts/proto/common/v1/common';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Column as DatasetColumn } from '../domain/dataset';

/** An immutable dataset version. Its successor is made from it, so (stream, version) is all that fences two committers. */
@Entity('dataset_versions')
export class DatasetVersionRow {
  @PrimaryColumn('text')
  stream!: string;

  @PrimaryColumn('bigint')
  version!: string;

  @Column('text', { name: 'manifest_digest' })
  manifestDigest!: string;

  @Column('bigint')
  rows!: string;

  @Column('bigint', { name: 'added_rows' })
  addedRows!: string;

  /** Over all rows of the version, as the next two. */
  @Column('bigint', { name: 'min_event_micros' })
  minEventMicros!: string;

  @Column('bigint', { name: 'max_event_micros' })
  maxEventMicros!: string;

  @Column('bigint', { name: 'max_known_micros' })
  maxKnownMicros!: string;

  /** Of the added rows, by known time. */
  @Column('jsonb', { name: 'first_record' })
  firstRecord!: EventRef;

  @Column('jsonb', { name: 'last_record' })
  lastRecord!: EventRef;

  /** Partition of data.<stream>.v1 → the offset at which the next version begins. */
  @Column('jsonb', { name: 'end_offsets' })
  endOffsets!: Record<string, number>;

  /** "<partition> <producer shard>" → last sequence: how repeats are recognised in the next version. */
  @Column('jsonb', { name: 'last_sequences' })
  lastSequences!: Record<string, number>;

  @Column('jsonb')
  schema!: DatasetColumn[];
}

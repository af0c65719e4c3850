import type { Cause } from '@headrace/messaging';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { int64 } from './int64';

@Entity('dataset_versions')
export class DatasetVersionRow {
  @PrimaryColumn('text')
  stream!: string;

  @PrimaryColumn(int64)
  version!: number;

  @Column('text', { name: 'manifest_digest' })
  manifestDigest!: string;

  @Column(int64)
  rows!: number;

  @Column({ ...int64, name: 'max_event_time_micros' })
  maxEventTimeMicros!: number;

  @Column({ ...int64, name: 'max_known_time_micros' })
  maxKnownTimeMicros!: number;

  /** DatasetVersionCommitted. */
  @Column('jsonb')
  event!: Cause;
}

/** Alias champion of each model. */
@Entity('champions')
export class ChampionRow {
  @PrimaryColumn('text')
  model!: string;

  @Column(int64)
  version!: number;

  @Column('text')
  digest!: string;

  @Column('jsonb')
  features!: string[];
}

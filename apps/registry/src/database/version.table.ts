import type { Cause } from '@headrace/messaging';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { int64 } from './int64';

export type VersionState = 'registered' | 'validated' | 'refused' | 'waived';

/** GateEvaluation as JSON: an absent measurement is null. */
export interface StoredGate {
  readonly name: string;
  readonly criterion: string;
  readonly measured: number | null;
  readonly passed: boolean;
  readonly waived: boolean;
  readonly message: string;
}

@Entity('model_versions')
export class ModelVersionRow {
  @PrimaryColumn('text')
  model!: string;

  @PrimaryColumn(int64)
  version!: number;

  @Column('text', { name: 'run_id' })
  runId!: string;

  @Column('text')
  state!: VersionState;

  /** The ModelTrained event, protobuf JSON. */
  @Column('jsonb')
  trained!: unknown;

  @Column('jsonb')
  gates!: StoredGate[];

  @Column({ ...int64, name: 'registered_at_micros' })
  registeredAtMicros!: number;

  /** GateEvaluated: what a waiver follows from. */
  @Column('jsonb', { name: 'gate_event', nullable: true })
  gateEvent!: Cause | null;

  /** ModelVersionValidated: what a deployment follows from. */
  @Column('jsonb', { name: 'validated_event', nullable: true })
  validatedEvent!: Cause | null;
}

/** Every evaluation ever made. */
@Entity('gate_evaluations')
export class GateEvaluationRow {
  @PrimaryColumn('text', { name: 'event_id' })
  eventId!: string;

  @Column('text')
  model!: string;

  @Column(int64)
  version!: number;

  /** Content hash of the Model definition whose gates they were. */
  @Column('text', { name: 'definition_version' })
  definitionVersion!: string;

  @Column('jsonb')
  gates!: StoredGate[];

  @Column('boolean')
  passed!: boolean;

  @Column({ ...int64, name: 'at_micros' })
  atMicros!: number;
}

@Entity('aliases')
export class AliasRow {
  @PrimaryColumn('text')
  model!: string;

  @PrimaryColumn('text')
  alias!: string;

  @Column(int64)
  version!: number;
}

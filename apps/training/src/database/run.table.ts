import type { Artifact, DatasetVersionRef } from '@headrace/contracts/proto/common/v1/common';
import type { TrainingColumn } from '@headrace/contracts/proto/features/v1/features_events';
import type { FeatureColumn } from '@headrace/contracts/proto/training/v1/training_events';
import type { TrainingPlan } from '@headrace/definitions';
import type { Cause } from '@headrace/messaging';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { RunState, StepName, StepState, Trigger } from '../domain/run';
import type { Champion } from '../domain/signature';
import { int64 } from './int64';

@Entity('runs')
export class RunRow {
  @PrimaryColumn('text', { name: 'run_id' })
  runId!: string;

  @Column('text')
  plan!: string;

  @Column('text')
  model!: string;

  @Column('text')
  state!: RunState;

  @Column('text')
  trigger!: Trigger;

  @Column('text')
  reason!: string;

  @Column('text', { name: 'requested_by' })
  requestedBy!: string;

  @Column('boolean', { name: 'shuffle_labels' })
  shuffleLabels!: boolean;

  /** Dataset versions should reach this known time; 0: whatever there is. */
  @Column({ ...int64, name: 'decided_at_event_micros' })
  decidedAtEventMicros!: number;

  @Column({ ...int64, name: 'requested_at_micros' })
  requestedAtMicros!: number;

  /** Wall clock: until then fresh dataset versions are waited for. */
  @Column({ ...int64, name: 'snapshot_deadline_micros' })
  snapshotDeadlineMicros!: number;

  /** What TrainingRequested follows from. */
  @Column('jsonb')
  cause!: Cause;

  @Column({ ...int64, name: 'finished_at_micros', nullable: true })
  finishedAtMicros!: number | null;

  @Column('text', { name: 'error_code' })
  errorCode!: string;

  @Column('text')
  error!: string;

  @Column('text', { name: 'plan_version' })
  planVersion!: string;

  /** The plan as it was when the run began: a later change is for later runs. */
  @Column('jsonb', { name: 'plan_document', nullable: true })
  planDocument!: TrainingPlan | null;

  @Column('jsonb', { nullable: true })
  columns!: FeatureColumn[] | null;

  @Column('jsonb')
  datasets!: DatasetVersionRef[];

  /** FeaturesMaterialized: what ModelTrained follows from. */
  @Column('jsonb', { name: 'features_event', nullable: true })
  featuresEvent!: Cause | null;

  @Column('jsonb', { name: 'training_set', nullable: true })
  trainingSet!: Artifact | null;

  @Column('jsonb', { name: 'training_columns', nullable: true })
  trainingColumns!: TrainingColumn[] | null;

  @Column('jsonb', { name: 'feature_views' })
  featureViews!: string[];

  /** What the new model is compared with; the same in every attempt. */
  @Column('jsonb', { nullable: true })
  champion!: Champion | null;

  @Column('boolean', { name: 'is_champion_fixed' })
  isChampionFixed!: boolean;

  /** Failed attempts to fit. */
  @Column('integer')
  failures!: number;

  @Column({ ...int64, name: 'next_attempt_at_micros' })
  nextAttemptAtMicros!: number;

  /** Of the worker that fits it; a worker that lost its claim writes nothing more. */
  @Column('text', { nullable: true })
  claim!: string | null;

  @Column({ ...int64, name: 'heartbeat_at_micros', nullable: true })
  heartbeatAtMicros!: number | null;
}

@Entity('run_steps')
export class RunStepRow {
  @PrimaryColumn('text', { name: 'run_id' })
  runId!: string;

  @PrimaryColumn('text')
  name!: StepName;

  @Column('integer')
  position!: number;

  @Column('text')
  state!: StepState;

  @Column({ ...int64, name: 'started_at_micros', nullable: true })
  startedAtMicros!: number | null;

  @Column({ ...int64, name: 'finished_at_micros', nullable: true })
  finishedAtMicros!: number | null;

  @Column('integer')
  attempts!: number;

  @Column('text')
  message!: string;
}

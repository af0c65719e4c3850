import type { Cause } from '@headrace/messaging';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { RolloutState } from '../domain/rollout';
import type { Stage, Strategy } from '../domain/stages';
import { int64 } from './int64';

@Entity('endpoints')
export class EndpointRow {
  @PrimaryColumn('text')
  name!: string;

  @Column('text')
  model!: string;

  @Column(int64)
  generation!: number;

  @Column(int64)
  champion!: number;

  /** The newest DeploymentChanged, protobuf JSON. */
  @Column('jsonb')
  desired!: unknown;

  /** The event that carried it. */
  @Column('jsonb', { name: 'deployment_event' })
  deploymentEvent!: Cause;
}

@Entity('rollouts')
export class RolloutRow {
  @PrimaryColumn('text', { name: 'rollout_id' })
  rolloutId!: string;

  @Column('text')
  endpoint!: string;

  @Column(int64)
  candidate!: number;

  @Column(int64)
  champion!: number;

  @Column('text')
  strategy!: Strategy;

  @Column('jsonb')
  stages!: Stage[];

  @Column('text')
  unit!: string;

  @Column('integer')
  step!: number;

  @Column({ ...int64, name: 'step_started_at_micros' })
  stepStartedAtMicros!: number;

  @Column('boolean')
  passed!: boolean;

  @Column('boolean')
  confirmed!: boolean;

  @Column('text')
  state!: RolloutState;

  @Column('boolean')
  paused!: boolean;

  @Column('boolean', { name: 'by_waiver' })
  byWaiver!: boolean;

  @Column({ ...int64, name: 'since_generation' })
  sinceGeneration!: number;

  @Column({ ...int64, name: 'started_at_micros' })
  startedAtMicros!: number;

  @Column({ ...int64, name: 'ended_at_micros', nullable: true })
  endedAtMicros!: number | null;

  @Column('text')
  reason!: string;
}

/** Versions that were validated while a rollout was in progress. */
@Entity('waiting_versions')
export class WaitingVersionRow {
  @PrimaryColumn('text')
  endpoint!: string;

  @PrimaryColumn(int64)
  version!: number;

  @Column('boolean', { name: 'by_waiver' })
  byWaiver!: boolean;

  @Column('text')
  state!: 'waiting' | 'superseded' | 'started';

  @Column('jsonb')
  cause!: Cause;

  @Column({ ...int64, name: 'at_micros' })
  atMicros!: number;
}

/** Every verdict about a rollout, heeded or not. */
@Entity('rollout_analyses')
export class RolloutAnalysisRow {
  @PrimaryColumn('text', { name: 'event_id' })
  eventId!: string;

  @Column('text', { name: 'rollout_id' })
  rolloutId!: string;

  @Column('text')
  endpoint!: string;

  @Column('integer')
  step!: number;

  @Column('text')
  verdict!: string;

  @Column('jsonb', { nullable: true })
  improvement!: { readonly value: number; readonly low: number; readonly high: number } | null;

  @Column(int64)
  pairs!: number;

  @Column('text')
  reason!: string;

  @Column('jsonb')
  cause!: Cause;

  @Column({ ...int64, name: 'at_micros' })
  atMicros!: number;

  /** Order of arrival; set by the database. */
  @Column({ ...int64, insert: false, update: false })
  sequence!: number;
}

@Entity('endpoint_history')
export class EndpointHistoryRow {
  @PrimaryColumn('text', { name: 'event_id' })
  eventId!: string;

  @Column('text')
  endpoint!: string;

  @Column(int64)
  generation!: number;

  /** EndpointChanged, protobuf JSON. */
  @Column('jsonb')
  change!: unknown;

  @Column({ ...int64, name: 'at_micros' })
  atMicros!: number;

  /** Order of arrival; set by the database. */
  @Column({ ...int64, insert: false, update: false })
  sequence!: number;
}

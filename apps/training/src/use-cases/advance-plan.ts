import { randomUUID } from 'node:crypto';
import { events } from '@headrace/contracts';
import { DefinitionReader, type Versioned } from '@headrace/definition-store';
import { nowMicros } from '@headrace/event-time';
import type { Transaction } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { InputsRepository, type NewestDatasetVersion } from '../database/inputs.repository';
import type { RunRow } from '../database/run.table';
import { RunsRepository } from '../database/runs.repository';
import { featureColumns } from '../domain/signature';
import { chooseSnapshot, mayBeginFirst, reachesInitialRows, spineFrom, streamsOf } from '../domain/snapshot';

/** How long a run waits for dataset versions that reach the moment of its decision, wall clock. */
export const SNAPSHOT_PATIENCE_MICROS = 30_000_000;

/**
 * Takes the next step of a plan that can be taken: the first run, the run that waited for another one, the snapshot of a
 * run that waited for fresh dataset versions. Asked after everything that could matter; asking once more does no harm.
 */
@Injectable()
export class AdvancePlan {
  constructor(
    private readonly definitions: DefinitionReader,
    private readonly inputs: InputsRepository,
    private readonly runs: RunsRepository,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Streams that the plan needs; undefined while a definition that it refers to is unknown here. */
  streamsOf(plan: Versioned<'TrainingPlan'>): readonly string[] | undefined {
    return streamsOf(plan.definition, (name) => this.definitions.get('FeatureView', name)?.definition);
  }

  /** Plans that the stream matters to. */
  plansOn(stream: string): string[] {
    return this.definitions
      .all('TrainingPlan')
      .filter((plan) => this.streamsOf(plan)?.includes(stream))
      .map((plan) => plan.definition.metadata.name);
  }

  /** The run lock is held. */
  async run(transaction: Transaction, name: string): Promise<void> {
    const plan = this.definitions.get('TrainingPlan', name);
    const streams = plan && this.streamsOf(plan);
    if (!plan || !streams) return;
    const newest = await this.inputs.newest(transaction, streams);
    const active =
      (await this.runs.active(transaction, name)) ??
      (await this.nextQueued(transaction, name)) ??
      (await this.firstRun(transaction, plan, streams, newest));
    if (active?.state === 'requested') await this.takeSnapshot(transaction, plan, active, streams, newest);
  }

  private async nextQueued(transaction: Transaction, plan: string): Promise<RunRow | null> {
    const run = await this.runs.queued(transaction, plan);
    if (!run) return null;
    run.snapshotDeadlineMicros = nowMicros() + SNAPSHOT_PATIENCE_MICROS;
    await this.runs.advance(transaction, run, 'requested');
    return run;
  }

  private async firstRun(
    transaction: Transaction,
    plan: Versioned<'TrainingPlan'>,
    streams: readonly string[],
    newest: ReadonlyMap<string, NewestDatasetVersion>,
  ): Promise<RunRow | null> {
    const { metadata, spec } = plan.definition;
    const spine = newest.get(spec.spine.stream);
    if (!spine || !reachesInitialRows(plan.definition, streams, newest)) return null;
    if (!mayBeginFirst(await this.runs.last(transaction, metadata.name), newest)) return null;
    const runId = randomUUID();
    await this.runs.insert(transaction, {
      runId,
      plan: metadata.name,
      model: spec.model,
      state: 'requested',
      trigger: 'data-volume',
      reason: `${spine.rows} rows of ${spine.stream}, ${spec.triggers.initialSpineRows ?? 0} asked for`,
      requestedBy: 'policy',
      shuffleLabels: false,
      decidedAtEventMicros: 0,
      requestedAtMicros: nowMicros(),
      snapshotDeadlineMicros: 0,
      cause: spine.event,
    });
    return this.runs.find(transaction, runId);
  }

  private async takeSnapshot(
    transaction: Transaction,
    plan: Versioned<'TrainingPlan'>,
    run: RunRow,
    streams: readonly string[],
    newest: ReadonlyMap<string, NewestDatasetVersion>,
  ): Promise<void> {
    const snapshot = chooseSnapshot({
      streams,
      newest,
      decidedAtEventMicros: run.decidedAtEventMicros,
      deadlineMicros: run.snapshotDeadlineMicros,
      nowMicros: nowMicros(),
    });
    const columns = featureColumns(
      plan.definition,
      (view) => this.definitions.get('FeatureView', view)?.definition.spec.entity.name,
    );
    if (snapshot.kind === 'waiting' || columns.kind === 'unknown-view') return;
    const { spec } = plan.definition;
    run.datasets = [...snapshot.datasets];
    run.planVersion = plan.version;
    run.planDocument = plan.definition;
    run.columns = columns.columns;
    run.model = spec.model;
    const taken = run.datasets.map(({ stream, version }) => `${stream} ${version}`).join(', ');
    const stale = snapshot.stale.length > 0 ? `; not as new as asked for: ${snapshot.stale.join(', ')}` : '';
    await this.runs.advance(transaction, run, 'joining', `${taken}${stale}`);
    transaction.publish(
      events.TrainingRequested,
      {
        runId: run.runId,
        plan: run.plan,
        planVersion: plan.version,
        model: spec.model,
        trigger: run.trigger,
        reason: run.reason,
        datasets: run.datasets,
        fromEventTimeMicros: spineFrom(plan.definition, newest.get(spec.spine.stream)?.maxEventTimeMicros ?? 0),
        toEventTimeMicros: 0,
        shuffleLabels: run.shuffleLabels,
        requestedBy: run.requestedBy,
      },
      { cause: run.cause },
    );
    this.logger.info({ runId: run.runId, plan: run.plan, trigger: run.trigger, datasets: taken }, 'training requested');
  }
}

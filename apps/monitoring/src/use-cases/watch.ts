// One round of one monitor: everything that event time allows to be decided, each decision in its own transaction.
import type { Transaction, UnitOfWork } from '@headrace/messaging';
import { UNIT_OF_WORK } from '@headrace/messaging';
import { LOGGER, SETTINGS, type Logger } from '@headrace/service-kit';
import { MICROS, parseDuration } from '@headrace/event-time';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { readDeployment, type Deployment } from '../database/deployments.repository';
import { readStates } from '../database/monitor-states.repository';
import { prune } from '../database/progress.repository';
import type { Queries } from '../database/sql';
import { hasStale } from '../database/windows.repository';
import { driftHorizon, labelHorizon, type Progress } from '../domain/progress';
import { windowLengthOf } from '../domain/window-rule';
import type { MonitoringSettings } from '../monitoring.config';
import { evaluationOverdue, eventTimeHorizon } from '../monitoring-metrics';
import { RetrainingMetrics, RolloutMetrics, WindowMetrics } from '../observe-decisions';
import type { WatchedMonitor } from '../watched-monitors';
import { AnalyseRollout } from './analyse-rollout';
import { CloseWindow, type Closed } from './close-window';
import { FindWindow } from './find-window';
import { forgetSketches } from './drift-reference';
import type { Reference } from './judge-window';
import { ReadProgress } from './read-progress';
import { ReferenceProfiles } from './reference-profiles';
import { RequestRetraining } from './request-retraining';
import { ReviseWindow } from './revise-window';

const ASK_AGAIN_MS = 1_000;

@Injectable()
export class Watch {
  /** What each monitor's last round saw; while nothing of it changes, nothing can be decided. */
  private readonly seen = new Map<string, string>();
  private readonly asked = new Map<string, number>();
  /** Since when, by a clock that never goes back, something could be decided that is not. */
  private readonly dueSince = new Map<string, number>();

  constructor(
    private readonly source: DataSource,
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    private readonly readProgress: ReadProgress,
    private readonly profiles: ReferenceProfiles,
    private readonly findWindow: FindWindow,
    private readonly closeWindow: CloseWindow,
    private readonly reviseWindow: ReviseWindow,
    private readonly requestRetraining: RequestRetraining,
    private readonly analyseRollout: AnalyseRollout,
    private readonly windowMetrics: WindowMetrics,
    private readonly rolloutMetrics: RolloutMetrics,
    private readonly retrainingMetrics: RetrainingMetrics,
    @Inject(SETTINGS) private readonly settings: MonitoringSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async run(monitor: WatchedMonitor): Promise<void> {
    const queries: Queries = { query: (sql, parameters) => this.source.query(sql, parameters && [...parameters]) };
    const progress = await this.readProgress.run(queries, monitor);
    const deployment = await readDeployment(queries, monitor.endpoint);
    const { championVersion: version, profileDigest } = deployment ?? {};
    if (!deployment || version === undefined || profileDigest === undefined) return;
    const horizons = { drift: driftHorizon(progress), performance: labelHorizon(progress) };
    for (const [kind, horizon] of Object.entries(horizons)) {
      if (Number.isFinite(horizon)) eventTimeHorizon.set({ monitor: monitor.name, kind }, horizon / MICROS.s);
    }
    const mark = await this.markOf(queries, monitor, version, progress, deployment);
    if (this.seen.get(monitor.name) === mark) return this.askAgain(queries, monitor, progress, version, profileDigest);
    const dueSince = this.dueSince.get(monitor.name) ?? performance.now();
    this.dueSince.set(monitor.name, dueSince);
    evaluationOverdue.set({ monitor: monitor.name }, (performance.now() - dueSince) / 1_000);
    const reference = { version, profile: await this.profiles.load(profileDigest) };
    await this.closeAll(monitor, reference, progress);
    await this.askForRetraining(monitor, progress);
    await this.analyse(monitor, progress);
    this.seen.set(monitor.name, mark);
    this.dueSince.delete(monitor.name);
    evaluationOverdue.set({ monitor: monitor.name }, 0);
  }

  /** What has no part in the mark: late labels; and a request may be held up by an open one, or by the wall clock. */
  private async askAgain(
    queries: Queries,
    monitor: WatchedMonitor,
    progress: Progress,
    version: number,
    profileDigest: string,
  ): Promise<void> {
    const now = performance.now();
    if (now - (this.asked.get(monitor.name) ?? -Infinity) < ASK_AGAIN_MS) return;
    this.asked.set(monitor.name, now);
    const keptFromMicros = this.keptFrom(labelHorizon(progress));
    if (await hasStale(queries, monitor.name, version, keptFromMicros)) {
      await this.reviseAll(monitor, { version, profile: await this.profiles.load(profileDigest) }, keptFromMicros);
    }
    const standing = (await readStates(queries, monitor.name)).some((state) => state.signal);
    if (standing) await this.askForRetraining(monitor, progress);
  }

  private async reviseAll(monitor: WatchedMonitor, reference: Reference, keptFromMicros: number): Promise<void> {
    for (;;) {
      const revised = await this.decide(async (transaction) => {
        const deployment = await readDeployment(transaction, monitor.endpoint);
        return deployment && this.reviseWindow.run(transaction, monitor, deployment, reference, keptFromMicros);
      });
      if (!revised) return;
      const { window, isNewest, signalStands: stands } = revised;
      this.windowMetrics.revised(monitor, window, { isNewest, stands });
      const { evidence, ...rest } = window;
      this.logger.info({ ...rest, stands, crossings: evidence.filter((e) => e.crossed) }, 'window judged again');
    }
  }

  /** Forgets rows that are older than anything can need, by event time; true when there may be more. */
  async forget(monitor: WatchedMonitor): Promise<boolean> {
    const queries: Queries = { query: (sql, parameters) => this.source.query(sql, parameters && [...parameters]) };
    const horizon = labelHorizon(await this.readProgress.run(queries, monitor));
    if (!Number.isFinite(horizon)) return false;
    const judged = { endpoint: monitor.endpoint, source: monitor.source.id };
    const keptFrom = this.keptFrom(horizon);
    return this.decide(async (transaction) => {
      const champion = (await readDeployment(transaction, monitor.endpoint))?.championVersion;
      if (champion !== undefined) await forgetSketches(transaction, monitor, champion, keptFrom);
      return prune(transaction, judged, keptFrom, 20_000);
    });
  }

  /** Event time from which facts are kept. */
  private keptFrom(horizonMicros: number): number {
    return Number.isFinite(horizonMicros) ? horizonMicros - this.settings.MONITORING_RETENTION_DAYS * MICROS.d : 0;
  }

  /** Window by window in event time; after each one that leaves a signal standing the policy is asked. */
  private async closeAll(monitor: WatchedMonitor, reference: Reference, progress: Progress): Promise<void> {
    for (;;) {
      const closed = await this.decide(async (transaction): Promise<Closed> => {
        const deployment = await readDeployment(transaction, monitor.endpoint);
        if (!deployment) return { kind: 'nothing' };
        return this.closeWindow.run(transaction, monitor, deployment, reference, progress);
      });
      if (closed.kind === 'nothing') return;
      if (closed.kind === 'begun') {
        this.windowMetrics.begun(monitor, closed.signal);
        continue;
      }
      const { window, signalStands } = closed;
      this.windowMetrics.closed(monitor, window, signalStands);
      const { evidence, ...rest } = window;
      this.logger.info({ ...rest, signalStands, crossings: evidence.filter((e) => e.crossed) }, 'window closed');
      if (signalStands) await this.askForRetraining(monitor, progress);
    }
  }

  private async askForRetraining(monitor: WatchedMonitor, progress: Progress): Promise<void> {
    const decision = await this.decide(async (transaction) => {
      const deployment = await readDeployment(transaction, monitor.endpoint);
      return deployment && this.requestRetraining.run(transaction, monitor, deployment, progress);
    });
    if (!decision) return;
    this.retrainingMetrics.decided(monitor, decision);
    if (decision.retraining.kind !== 'request') return;
    this.logger.info({ monitor: monitor.name, reason: decision.retraining.reason }, 'retraining requested');
  }

  private async analyse(monitor: WatchedMonitor, progress: Progress): Promise<void> {
    const analysed = await this.decide(async (transaction) => {
      const deployment = await readDeployment(transaction, monitor.endpoint);
      return deployment && this.analyseRollout.run(transaction, monitor, deployment, progress);
    });
    if (analysed?.kind !== 'analysed') return;
    this.rolloutMetrics.analysed(monitor, analysed.state, analysed.verdict);
    if (analysed.verdict) {
      this.logger.info({ endpoint: monitor.endpoint, ...analysed.verdict }, 'verdict about the rollout');
    }
  }

  /** One decider at a time, of all instances. What it decides rests on what it reads under the lock. */
  private decide<R>(work: (transaction: Transaction) => Promise<R>): Promise<R> {
    return this.work.run(async (transaction) => {
      await transaction.query(`SELECT pg_advisory_xact_lock(hashtext(current_schema() || '/decide'), 0)`);
      return work(transaction);
    });
  }

  /** Everything that a round depends on, as coarse as its decisions are. */
  private async markOf(
    queries: Queries,
    monitor: WatchedMonitor,
    version: number,
    progress: Progress,
    deployment: Deployment,
  ): Promise<string> {
    const labels = labelHorizon(progress);
    const length = windowLengthOf(monitor.spec);
    const windows =
      length === undefined
        ? await this.findWindow.markOf(queries, monitor, version, progress)
        : `${Math.floor(driftHorizon(progress) / length)}/${Math.floor(labels / length)}`;
    const bucket = parseDuration(monitor.rollout.analysis.block);
    const buckets = deployment.rollout ? Math.floor(labels / bucket) : 0;
    return [monitor.version, deployment.cause.eventId, windows, buckets].join('/');
  }
}

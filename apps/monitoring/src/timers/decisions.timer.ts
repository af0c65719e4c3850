import { LOGGER, type Logger, REPLAY_SCHEMA, Repeating } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { readStates } from '../database/monitor-states.repository';
import type { Queries } from '../database/sql';
import { readNewestWindows } from '../database/windows.repository';
import { decisionFailuresTotal } from '../monitoring-metrics';
import { WindowMetrics } from '../observe-decisions';
import { Watch } from '../use-cases/watch';
import { WatchedMonitors, type WatchedMonitor } from '../watched-monitors';
import { Patience } from './patience';

const INTERVAL_MS = 150;
/** A monitor that cannot be watched (its profile is missing) is tried again after this, doubled each time … */
const FIRST_WAIT_MS = 300;
/** … up to this. */
const LONGEST_WAIT_MS = 15_000;
const FORGET_EVERY_MS = 60_000;

/** Watches every monitor again and again; the wall clock only says when to look, event time says what is due. */
@Injectable()
export class DecisionsTimer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly repeating: Repeating;
  private readonly shown = new Set<string>();
  private readonly patience = new Patience(FIRST_WAIT_MS, LONGEST_WAIT_MS);
  private forgotAt = performance.now();

  constructor(
    private readonly monitors: WatchedMonitors,
    private readonly watch: Watch,
    private readonly metrics: WindowMetrics,
    private readonly source: DataSource,
    @Inject(REPLAY_SCHEMA) private readonly replaySchema: string | null,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.repeating = new Repeating(
      INTERVAL_MS,
      (signal) => this.round(signal),
      (error) => this.logger.error({ err: error }, 'a round failed, it is tried again'),
    );
  }

  onApplicationBootstrap(): void {
    if (this.replaySchema !== null) return;
    this.repeating.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.repeating.stop();
  }

  /** Facts beyond the retention, of every monitor. */
  async forget(): Promise<void> {
    for (const monitor of this.monitors.all()) while (await this.watch.forget(monitor));
  }

  private async round(signal: AbortSignal): Promise<void> {
    const forget = performance.now() - this.forgotAt > FORGET_EVERY_MS;
    for (const monitor of this.monitors.all()) {
      if (signal.aborted) return;
      if (!this.patience.isDue(monitor.name, performance.now())) continue;
      try {
        await this.showLast(monitor);
        await this.watch.run(monitor);
        if (forget) await this.watch.forget(monitor);
        this.patience.succeeded(monitor.name);
      } catch (error) {
        // One monitor that cannot be watched does not hold up the others.
        decisionFailuresTotal.inc({ monitor: monitor.name });
        const { failures, waitMs } = this.patience.failed(monitor.name, performance.now());
        const about = { err: error, monitor: monitor.name, failures, waitMs };
        this.logger.error(about, 'a round of a monitor failed, it is tried again');
      }
    }
    if (forget) this.forgotAt = performance.now();
  }

  /** After a restart the gauges show what was judged last. */
  private async showLast(monitor: WatchedMonitor): Promise<void> {
    if (this.shown.has(monitor.name)) return;
    const queries: Queries = { query: (sql, parameters) => this.source.query(sql, parameters && [...parameters]) };
    for (const window of await readNewestWindows(queries, monitor.name)) this.metrics.show(monitor, window);
    for (const state of await readStates(queries, monitor.name)) {
      this.metrics.signal(monitor, state.kind, state.signal !== undefined);
    }
    this.shown.add(monitor.name);
  }
}

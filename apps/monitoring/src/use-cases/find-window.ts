// Which window of a monitor is the next to be closed, when it may be closed.
import { tumblingWindowOf, type Window } from '@headrace/event-time';
import { Injectable } from '@nestjs/common';
import { readStates, type MonitorState } from '../database/monitor-states.repository';
import { nextLabelTime } from '../database/outcomes.repository';
import { nextPredictionTime } from '../database/predictions.repository';
import { firstAsChampion, readCounters } from '../database/progress.repository';
import type { Queries } from '../database/sql';
import { findCut, firstLabelled, firstScored } from '../database/window-cuts.repository';
import { driftHorizon, labelHorizon, type Progress } from '../domain/progress';
import type { SignalKind } from '../domain/retraining-policy';
import {
  clockOf,
  countRuleOf,
  cutOf,
  windowLengthOf,
  type ClosedBy,
  type CountRule,
  type WindowClock,
} from '../domain/window-rule';
import type { WatchedMonitor } from '../watched-monitors';

export interface FoundWindow extends Window {
  /** Absent: it is as long as declared. */
  readonly closedBy?: ClosedBy;
}

type Place = Pick<MonitorState, 'kind' | 'version' | 'nextStartMicros'>;

/** What is known of a window by count that cannot be closed yet. */
interface Waiting {
  readonly of: string;
  /** The earliest at which more rows can change that, by the counter of the endpoint. */
  readonly counted: number;
  /** And by event time. */
  readonly endMicros: number;
  /** By a clock that never goes back. */
  readonly lookedAt: number;
}

/** Looked for again after this in any case: a corrected label may have come in without being counted. */
const LOOK_AGAIN_MS = 10_000;

@Injectable()
export class FindWindow {
  /** By monitor and clock. It only says when to look: what is found rests on the tables. */
  private readonly waiting = new Map<string, Waiting>();

  /** Empty windows are passed over. */
  async next(
    queries: Queries,
    monitor: WatchedMonitor,
    place: Place,
    progress: Progress,
  ): Promise<FoundWindow | undefined> {
    const clock = clockOf(place.kind);
    const horizonMicros = clock === 'prediction' ? driftHorizon(progress) : labelHorizon(progress);
    const fromMicros = place.nextStartMicros ?? (await firstAsChampion(queries, monitor.endpoint, place.version));
    if (fromMicros === undefined) return undefined;
    const rule = countRuleOf(monitor.spec);
    return rule
      ? this.byCount(queries, monitor, rule, { clock, version: place.version, fromMicros, horizonMicros })
      : this.byLength(queries, monitor, clock, fromMicros, horizonMicros);
  }

  /** Where windows by count of a monitor could be closed, as text: while it stays the same, none can. */
  async markOf(queries: Queries, monitor: WatchedMonitor, version: number, progress: Progress): Promise<string> {
    const states = await readStates(queries, monitor.name);
    const ends: string[] = [];
    for (const kind of ['drift', 'performance'] as const satisfies readonly SignalKind[]) {
      const state = states.find((one) => one.kind === kind && one.version === version);
      const place = { kind, version, nextStartMicros: state?.nextStartMicros };
      ends.push(String((await this.next(queries, monitor, place, progress))?.endMicros ?? '-'));
    }
    return ends.join('/');
  }

  private async byLength(
    queries: Queries,
    { endpoint, source, spec }: WatchedMonitor,
    clock: WindowClock,
    fromMicros: number,
    horizonMicros: number,
  ): Promise<FoundWindow | undefined> {
    const length = windowLengthOf(spec) ?? Infinity;
    // A window that began before the version's first answer as champion, or within one of another length, is not its own.
    const from = Math.ceil(fromMicros / length) * length;
    const time =
      clock === 'prediction'
        ? await nextPredictionTime(queries, endpoint, from)
        : await nextLabelTime(queries, { endpoint, source: source.id }, from);
    if (time === undefined) return undefined;
    const window = tumblingWindowOf(time, length);
    return window.endMicros <= horizonMicros ? window : undefined;
  }

  private async byCount(
    queries: Queries,
    monitor: WatchedMonitor,
    rule: CountRule,
    found: {
      readonly clock: WindowClock;
      readonly version: number;
      readonly fromMicros: number;
      readonly horizonMicros: number;
    },
  ): Promise<FoundWindow | undefined> {
    const { clock, version, fromMicros, horizonMicros } = found;
    const known = await findCut(queries, { monitor: monitor.name, clock, version }, fromMicros);
    if (known) return known.endMicros <= horizonMicros ? { startMicros: fromMicros, ...known } : undefined;
    const key = `${monitor.name}/${clock}`;
    const of = `${version}/${fromMicros}/${rule.predictions}/${rule.maximumAgeMicros}`;
    // Counted first: what comes meanwhile is looked for again.
    const counters = await readCounters(queries, monitor.endpoint);
    const counted = clock === 'prediction' ? counters.predictions : counters.joined;
    const before = this.waiting.get(key);
    const isWaiting =
      before?.of === of &&
      counted < before.counted &&
      horizonMicros < before.endMicros &&
      performance.now() - before.lookedAt < LOOK_AGAIN_MS;
    if (isWaiting) return undefined;
    const first =
      clock === 'prediction'
        ? await firstScored(queries, monitor.endpoint, version, fromMicros, rule.predictions)
        : await firstLabelled(
            queries,
            { endpoint: monitor.endpoint, source: monitor.source.id },
            version,
            fromMicros,
            rule.predictions,
          );
    const cut = cutOf(first, rule);
    if (cut && cut.endMicros <= horizonMicros) return { startMicros: fromMicros, ...cut };
    const missing = rule.predictions - first.rows;
    this.waiting.set(key, {
      of,
      counted: missing > 0 ? counted + missing : Infinity,
      endMicros: cut?.endMicros ?? Infinity,
      lookedAt: performance.now(),
    });
    return undefined;
  }
}

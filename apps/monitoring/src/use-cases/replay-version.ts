import { ArtifactStore } from '@headrace/artifacts';
import { DomainError, topics } from '@headrace/contracts';
import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import type {
  ReplayedGroup as ReplayedGroupMessage,
  ReplayVersionRequest,
  ReplayVersionResponse,
} from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import { scalarOf } from '@headrace/definitions';
import { parseDuration } from '@headrace/event-time';
import { LOG_READER, type LogReader } from '@headrace/messaging';
import { COMPILED_MODEL_CHILD, ModelProcess, type ModelChild } from '@headrace/scoring';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { DataSource } from 'typeorm';
import {
  countLabelled,
  layoutNames,
  readLabelled,
  type LabelledRequest,
  type RequestRange,
} from '../database/labelled-requests.repository';
import { findVersion, type RunnableVersion } from '../database/model-versions.repository';
import type { Queries } from '../database/sql';
import { groupOf, groupsOf, type ReplayedGroup, type ReplayedRow } from '../domain/replay-report';
import { WatchedMonitors, type WatchedMonitor } from '../watched-monitors';

/** The process that runs a model, where it is not the compiled one (specs). */
export const MODEL_CHILD = Symbol('MODEL_CHILD');

const MOST_ROWS = 500_000;
const MOST_SLICES = 5;
const PAGE_ROWS = 4_096;
const LIMITS = { timeoutMs: 60_000, memoryMiB: 1_024 };
/** Later than every as-of time; bigint in Postgres, exact as a number. */
const OPEN_END = Number.MAX_SAFE_INTEGER;

type SliceValues = ReadonlyMap<string, readonly (string | number | undefined)[]>;

/** What a version would have answered to past requests whose labels have come since. Changes nothing. */
@Injectable()
export class ReplayVersion {
  private readonly queries: Queries;
  private running = false;

  constructor(
    private readonly monitors: WatchedMonitors,
    private readonly artifacts: ArtifactStore,
    @Inject(LOG_READER) private readonly log: LogReader,
    source: DataSource,
    @Optional() @Inject(MODEL_CHILD) private readonly child: ModelChild = COMPILED_MODEL_CHILD,
  ) {
    this.queries = { query: (sql, parameters) => source.query(sql, parameters && [...parameters]) };
  }

  /** `remainingMs`: until nobody waits for the answer any more. */
  async run(request: ReplayVersionRequest, remainingMs: () => number): Promise<ReplayVersionResponse> {
    checkRequest(request);
    const monitor = this.monitors.all().find(({ endpoint }) => endpoint === request.endpoint);
    if (!monitor) {
      const message = `endpoint: no monitor watches "${request.endpoint}", so its labels are not known`;
      throw new DomainError('not-found', 'endpoint_unknown', message);
    }
    const version = await findVersion(this.queries, monitor.model, request.version);
    if (!version) {
      const message = `version: model "${monitor.model}" has no version ${request.version}`;
      throw new DomainError('not-found', 'unknown_version', message);
    }
    if (this.running) throw new DomainError('exhausted', 'replay_running', 'another replay runs here: try again later');
    this.running = true;
    try {
      return await this.replay(request, monitor, version, remainingMs);
    } finally {
      this.running = false;
    }
  }

  private async replay(
    request: ReplayVersionRequest,
    monitor: WatchedMonitor,
    version: RunnableVersion,
    remainingMs: () => number,
  ): Promise<ReplayVersionResponse> {
    const { range, inTraining } = await this.rangeOf(request, monitor, version);
    const { rows, requests } = await this.scored(range, version, remainingMs);
    const first = requests[0];
    const last = requests.at(-1);
    if (!first || !last) throw nothingLabelled(request, inTraining);
    const { task } = monitor.source;
    const { analysis } = monitor.rollout;
    const rules = { lengthMicros: parseDuration(analysis.block), minimumPairs: analysis.minimumPairsOfBlock };
    const values = await this.sliceValues(request.slices, requests);
    const groups: ReplayedGroup[] = [];
    let leftOut = 0;
    for (const [place, slice] of request.slices.entries()) {
      const found = groupsOf(rows, task, rules, slice, (row) => values.get(row.predictionId)?.[place]);
      groups.push(...found.groups);
      leftOut += found.leftOut;
    }
    return {
      model: monitor.model,
      version: request.version,
      firstEventTimeMicros: first.asOfMicros,
      lastEventTimeMicros: last.asOfMicros,
      rowsInTraining: inTraining,
      loss: task === 'binary' ? 'brier' : 'squared_error',
      overall: groupMessage(groupOf(rows, task, rules)),
      groups: groups.map(groupMessage),
      groupsLeftOut: leftOut,
    };
  }

  private async rangeOf(
    request: ReplayVersionRequest,
    { endpoint, source }: WatchedMonitor,
    version: RunnableVersion,
  ): Promise<{ readonly range: RequestRange; readonly inTraining: number }> {
    const judged = { endpoint, source: source.id };
    const toMicros = request.toEventTimeMicros === 0 ? OPEN_END : request.toEventTimeMicros;
    const whole = { judged, fromMicros: request.fromEventTimeMicros, toMicros };
    const all = await countLabelled(this.queries, whole);
    if (all.rows === 0) throw nothingLabelled(request, 0);
    const asked = request.sinceMicros === 0 ? whole : { ...whole, fromMicros: all.newestMicros - request.sinceMicros };
    const fromMicros = request.includeTraining
      ? asked.fromMicros
      : Math.max(asked.fromMicros, version.trainToMicros + 1);
    const range = { ...asked, fromMicros };
    const before = await countLabelled(this.queries, asked);
    const { rows } = await countLabelled(this.queries, range);
    if (rows > MOST_ROWS) {
      const message = `${rows} labelled requests are in the range; at most ${MOST_ROWS} are replayed: choose a shorter one`;
      throw new DomainError('precondition', 'too_many_rows', message);
    }
    return { range, inTraining: before.rows - rows };
  }

  /** Rows and requests are parallel. */
  private async scored(
    range: RequestRange,
    { digest, signature }: RunnableVersion,
    remainingMs: () => number,
  ): Promise<{ readonly rows: readonly ReplayedRow[]; readonly requests: readonly RequestPlace[] }> {
    const columns = signature.features.map(({ name }) => name);
    if (columns.length === 0) {
      const message =
        'the version has no feature columns: it is asked by tensor alone, and such requests are not logged';
      throw new DomainError('precondition', 'no_features', message);
    }
    const model = await ModelProcess.start({
      path: await this.artifacts.pathOf(digest),
      columns: columns.length,
      task: signature.task,
      limits: LIMITS,
      child: this.child,
    });
    const rows: ReplayedRow[] = [];
    const requests: RequestPlace[] = [];
    const places = new Map<string, readonly number[]>();
    try {
      let after = { asOfMicros: -1, predictionId: '' };
      for (;;) {
        if (remainingMs() <= 0)
          throw new DomainError('unavailable', 'out_of_time', 'nobody waits for the answer any more');
        const page = await readLabelled(this.queries, range, after, PAGE_ROWS);
        const last = page.at(-1);
        if (!last) break;
        after = last;
        const features = new Float32Array(page.length * columns.length);
        for (const [row, { layout, features: served }] of page.entries()) {
          const known = places.get(layout) ?? (await this.placesOf(layout, columns));
          places.set(layout, known);
          known.forEach((place, column) => (features[row * columns.length + column] = served[place] ?? Number.NaN));
        }
        const scores = await model.score(features, page.length);
        for (const [row, one] of page.entries()) {
          const replayed = scores[row] ?? Number.NaN;
          if (!Number.isFinite(replayed)) {
            const message = `the version gives no finite number for request ${one.predictionId}`;
            throw new DomainError('precondition', 'no_score', message);
          }
          const { predictionId, labelEventTimeMicros: timeMicros, label, output: served, asOfMicros } = one;
          rows.push({ predictionId, timeMicros, label, served, replayed });
          requests.push({ asOfMicros, partition: one.partition, offset: one.offset });
        }
      }
    } finally {
      model.stop();
    }
    return { rows, requests };
  }

  /** Where the version's columns stand among the features that were served. */
  private async placesOf(layout: string, columns: readonly string[]): Promise<readonly number[]> {
    const names = await layoutNames(this.queries, layout);
    const missing = columns.filter((name) => !names.includes(name));
    if (missing.length === 0) return columns.map((name) => names.indexOf(name));
    const message =
      `the version needs ${missing.join(', ')}, which requests of this range were not served with: ` +
      'what it would have answered cannot be known; choose a later range';
    throw new DomainError('precondition', 'features_not_served', message);
  }

  /** By prediction id, in the order of the slices: what the log has of each request. */
  private async sliceValues(slices: readonly string[], requests: readonly RequestPlace[]): Promise<SliceValues> {
    const values = new Map<string, readonly (string | number | undefined)[]>();
    if (slices.length === 0) return values;
    const ranges = new Map<number, { from: number; to: number }>();
    const wanted = new Set<string>();
    for (const { partition, offset } of requests) {
      const range = ranges.get(partition) ?? { from: offset, to: offset + 1 };
      ranges.set(partition, { from: Math.min(range.from, offset), to: Math.max(range.to, offset + 1) });
      wanted.add(`${partition}/${offset}`);
    }
    const seen = new Set<string>();
    await this.log.readRange(topics.predictions.name, ranges, (batch) => {
      for (const { partition, offset, data } of batch) {
        if (!wanted.has(`${partition}/${offset}`)) continue;
        const served = data as PredictionServed;
        for (const name of namesIn(served)) seen.add(name);
        values.set(
          served.predictionId,
          slices.map((slice) => valueOf(served, slice)),
        );
      }
    });
    const unknown = slices.filter((slice) => !seen.has(slice));
    if (unknown.length === 0) return values;
    const known = [...seen].sort().join(', ');
    const message = `slices: requests have no "${unknown.join('", "')}": expected one of ${known || '(the log has none of them any more)'}`;
    throw new DomainError('invalid', 'unknown_slice', message);
  }
}

type RequestPlace = Pick<LabelledRequest, 'asOfMicros' | 'partition' | 'offset'>;

function checkRequest(request: ReplayVersionRequest): void {
  const { version, fromEventTimeMicros: from, toEventTimeMicros: to, sinceMicros: since, slices } = request;
  const invalid = (code: string, message: string): DomainError => new DomainError('invalid', code, message);
  if (version < 1) throw invalid('bad_version', 'version: expected 1, 2, 3 …');
  if (from < 0 || to < 0 || since < 0) throw invalid('bad_range', 'the times of a range are 0 or more');
  if (to !== 0 && to <= from) throw invalid('bad_range', `to_event_time_micros: expected 0 or more than ${from}`);
  if (since !== 0 && from !== 0) throw invalid('bad_range', 'expected either from_event_time_micros or since_micros');
  if (slices.length > MOST_SLICES || new Set(slices).size < slices.length) {
    throw invalid('bad_slices', `slices: expected at most ${MOST_SLICES}, each once`);
  }
}

function nothingLabelled({ endpoint }: ReplayVersionRequest, inTraining: number): DomainError {
  const message =
    inTraining === 0
      ? `endpoint "${endpoint}" has no labelled requests in this range`
      : `all ${inTraining} labelled requests of endpoint "${endpoint}" in this range are of the time that the version was trained on`;
  return new DomainError('precondition', 'nothing_labelled', message);
}

function namesIn({ entities, request, featureNames }: PredictionServed): string[] {
  return [...Object.keys(entities), ...Object.keys(request), ...featureNames];
}

/** An entity comes before a request field, and that before a feature of the same name. */
function valueOf(served: PredictionServed, slice: string): string | number | undefined {
  const entity = served.entities[slice];
  if (entity !== undefined) return entity;
  const scalar = scalarOf(served.request[slice]);
  if (typeof scalar === 'number' || typeof scalar === 'string') return scalar;
  if (scalar !== null && scalar !== undefined) return String(scalar);
  const place = served.featureNames.indexOf(slice);
  return place === -1 ? undefined : served.featureValues[place];
}

function groupMessage(group: ReplayedGroup): ReplayedGroupMessage {
  return { ...group, served: { ...group.served }, replayed: { ...group.replayed } };
}

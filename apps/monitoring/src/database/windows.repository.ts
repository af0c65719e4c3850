import type { WindowSummary } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type { MetricResult } from '../domain/business-metrics';
import type { Evidence } from '../domain/evidence';
import { fairnessOf } from '../domain/fairness';
import type { WindowReference } from '../domain/live-reference';
import type { SignalKind } from '../domain/retraining-policy';
import type { SliceGroup } from '../domain/slices';
import type { ClosedBy } from '../domain/window-rule';
import type { Queries } from './sql';

export interface ClosedWindow {
  readonly monitor: string;
  readonly kind: SignalKind;
  readonly version: number;
  readonly startMicros: number;
  readonly endMicros: number;
  /** False: it held too little to be judged, or there was too little to compare it with; it counts as none of n. */
  readonly judged: boolean;
  readonly crossed: boolean;
  readonly predictions: number;
  readonly labels: number;
  readonly evidence: readonly Evidence[];
  readonly lastPredictionId: string | undefined;
  /** Probability, at most, that such a window crosses without any change; undefined: not known. */
  readonly falseAlarms: number | undefined;
  /** What it was compared with; undefined: the training profile of the version. */
  readonly reference: WindowReference | undefined;
  /** How often it was judged again because something of its time, or of its reference's, came after it was closed. */
  readonly revisions: number;
  /** By the declared slices. */
  readonly slices: readonly SliceGroup[];
  /** Those that the Monitor declares. */
  readonly metrics: readonly MetricResult[];
  /** Of a window by count; undefined: it is as long as declared. */
  readonly closedBy: ClosedBy | undefined;
}

/** JSON has no NaN: a statistic that could not be computed is null there. */
type StoredEvidence = Omit<Evidence, 'value' | 'reference' | 'threshold'> & {
  value: number | null;
  reference: number | null;
  threshold: number | null;
};

interface Row extends Omit<
  ClosedWindow,
  'evidence' | 'lastPredictionId' | 'falseAlarms' | 'reference' | 'slices' | 'metrics' | 'closedBy'
> {
  readonly slices: SliceGroup[] | null;
  readonly metrics: MetricResult[] | null;
  readonly reference: WindowReference | null;
  readonly closedBy: ClosedBy | null;
  readonly falseAlarms: number | null;
  readonly evidence: StoredEvidence[];
  readonly lastPredictionId: string | null;
}

const COLUMNS = `monitor, kind, version::float8 AS version, start_time::float8 AS "startMicros",
  end_time::float8 AS "endMicros", judged, crossed, predictions, labels, evidence,
  last_prediction_id AS "lastPredictionId", false_alarms AS "falseAlarms", reference, revisions, slices, metrics,
  closed_by AS "closedBy"`;

export async function saveWindow(queries: Queries, window: ClosedWindow): Promise<void> {
  await queries.query(
    `INSERT INTO windows (monitor, kind, version, start_time, end_time, judged, crossed, predictions, labels, evidence,
        last_prediction_id, false_alarms, reference, slices, metrics, closed_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
    [
      window.monitor,
      window.kind,
      window.version,
      window.startMicros,
      window.endMicros,
      window.judged,
      window.crossed,
      window.predictions,
      window.labels,
      JSON.stringify(window.evidence),
      window.lastPredictionId ?? null,
      window.falseAlarms ?? null,
      window.reference === undefined ? null : JSON.stringify(window.reference),
      window.slices.length === 0 ? null : JSON.stringify(window.slices),
      window.metrics.length === 0 ? null : JSON.stringify(window.metrics),
      window.closedBy ?? null,
    ],
  );
}

/**
 * Closed windows into which something came late; detectors of errors have gone on and cannot go back. Also those that are
 * marked already: one of them may be just being judged again, by who does not see what came now. This waits for it.
 */
export async function markStale(
  queries: Queries,
  window: { readonly monitor: string; readonly version: number; readonly kinds: readonly SignalKind[] },
  times: readonly number[],
): Promise<void> {
  await queries.query(
    `UPDATE windows SET stale = true
      WHERE monitor = $1 AND version = $2 AND kind = ANY($3::text[])
        AND EXISTS (SELECT 1 FROM unnest($4::bigint[]) AS late (at) WHERE late.at >= start_time AND late.at < end_time)`,
    [window.monitor, window.version, window.kinds, times],
  );
}

/** Windows that began before `keptFromMicros` are left as they are: their facts are forgotten, at least in part. */
export async function hasStale(
  queries: Queries,
  monitor: string,
  version: number,
  keptFromMicros: number,
): Promise<boolean> {
  const [row] = await queries.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT 1 FROM windows WHERE monitor = $1 AND version = $2 AND stale AND start_time >= $3) AS found`,
    [monitor, version, keptFromMicros],
  );
  return row?.found ?? false;
}

export interface StaleWindow {
  readonly kind: SignalKind;
  readonly startMicros: number;
  readonly endMicros: number;
  readonly closedBy?: ClosedBy;
}

/**
 * The oldest window to be judged again. Its mark is taken away first, and with it the row: who brings something late marks it
 * again afterwards, or was here before and is seen.
 */
export async function takeStale(
  queries: Queries,
  monitor: string,
  version: number,
  keptFromMicros: number,
): Promise<StaleWindow | undefined> {
  const [row] = await queries.query<Omit<StaleWindow, 'closedBy'> & { closedBy: ClosedBy | null }>(
    `WITH taken AS (
       UPDATE windows SET stale = false, revisions = revisions + 1
        WHERE (monitor, kind, version, start_time) = (
          SELECT monitor, kind, version, start_time FROM windows WHERE monitor = $1 AND version = $2 AND stale
             AND start_time >= $3 ORDER BY end_time, kind LIMIT 1)
       RETURNING kind, start_time, end_time, closed_by)
     SELECT kind, start_time::float8 AS "startMicros", end_time::float8 AS "endMicros", closed_by AS "closedBy" FROM taken`,
    [monitor, version, keptFromMicros],
  );
  if (!row) return undefined;
  const { closedBy, ...window } = row;
  return closedBy === null ? window : { ...window, closedBy };
}

/** What a closed window says now. */
export async function reviseWindow(queries: Queries, window: ClosedWindow): Promise<void> {
  await queries.query(
    `UPDATE windows SET judged = $5, crossed = $6, predictions = $7, labels = $8, evidence = $9, last_prediction_id = $10,
        false_alarms = $11, reference = $12, slices = $13, metrics = $14
      WHERE monitor = $1 AND kind = $2 AND version = $3 AND start_time = $4`,
    [
      window.monitor,
      window.kind,
      window.version,
      window.startMicros,
      window.judged,
      window.crossed,
      window.predictions,
      window.labels,
      JSON.stringify(window.evidence),
      window.lastPredictionId ?? null,
      window.falseAlarms ?? null,
      window.reference === undefined ? null : JSON.stringify(window.reference),
      window.slices.length === 0 ? null : JSON.stringify(window.slices),
      window.metrics.length === 0 ? null : JSON.stringify(window.metrics),
    ],
  );
}

/** The last judged windows of a version, oldest first. */
export async function readJudged(
  queries: Queries,
  monitor: string,
  kind: SignalKind,
  version: number,
  limit: number,
): Promise<ClosedWindow[]> {
  const rows = await queries.query<Row>(
    `SELECT ${COLUMNS} FROM windows WHERE monitor = $1 AND kind = $2 AND version = $3 AND judged
      ORDER BY start_time DESC LIMIT $4`,
    [monitor, kind, version, limit],
  );
  return rows.reverse().map(windowOf);
}

/** Undefined: the version has no closed window of this kind. */
export async function lastEndOf(
  queries: Queries,
  monitor: string,
  kind: SignalKind,
  version: number,
): Promise<number | undefined> {
  const [row] = await queries.query<{ end: number | null }>(
    'SELECT max(end_time)::float8 AS "end" FROM windows WHERE monitor = $1 AND kind = $2 AND version = $3',
    [monitor, kind, version],
  );
  return row?.end ?? undefined;
}

/** The last windows of a monitor, of every kind and version, oldest first. */
export async function readLastWindows(queries: Queries, monitor: string, limit: number): Promise<ClosedWindow[]> {
  const rows = await queries.query<Row>(
    `SELECT ${COLUMNS} FROM windows WHERE monitor = $1 ORDER BY end_time DESC, closed_at DESC, kind LIMIT $2`,
    [monitor, limit],
  );
  return rows.reverse().map(windowOf);
}

/** The last window of each kind of a monitor. */
export async function readNewestWindows(queries: Queries, monitor: string): Promise<ClosedWindow[]> {
  const rows = await queries.query<Row>(
    `SELECT DISTINCT ON (kind) ${COLUMNS} FROM windows WHERE monitor = $1 AND judged ORDER BY kind, end_time DESC`,
    [monitor],
  );
  return rows.map(windowOf);
}

/** Whether a drift window of the version that lies within [from, to), at least in part, crossed. */
export async function driftedWithin(
  queries: Queries,
  monitor: string,
  version: number,
  fromMicros: number,
  toMicros: number,
): Promise<boolean> {
  const [row] = await queries.query<{ drifted: boolean }>(
    `SELECT EXISTS (SELECT 1 FROM windows WHERE monitor = $1 AND version = $2 AND kind = 'drift' AND crossed
        AND end_time > $3 AND start_time < $4) AS drifted`,
    [monitor, version, fromMicros, toMicros],
  );
  return row?.drifted ?? false;
}

function windowOf(row: Row): ClosedWindow {
  const { lastPredictionId, evidence, falseAlarms, reference, slices, metrics, closedBy, ...rest } = row;
  return {
    ...rest,
    falseAlarms: falseAlarms ?? undefined,
    reference: reference ?? undefined,
    slices: slices ?? [],
    metrics: metrics ?? [],
    closedBy: closedBy ?? undefined,
    lastPredictionId: lastPredictionId ?? undefined,
    evidence: evidence.map((entry) => ({
      ...entry,
      value: entry.value ?? Number.NaN,
      reference: entry.reference ?? Number.NaN,
      threshold: entry.threshold ?? Number.NaN,
    })),
  };
}

/** Groups of slices that one answer may hold: about a megabyte. */
const MOST_GROUPS = 2_000;

/** Oldest first; slices have the newest of them, as far as they fit. */
export function summariesOf(windows: readonly ClosedWindow[]): WindowSummary[] {
  let groups = 0;
  return windows
    .toReversed()
    .map((window) => {
      groups += window.slices.length;
      return summaryOf(window, groups <= MOST_GROUPS);
    })
    .toReversed();
}

/** The last has its slices. */
export function evidenceOf(windows: readonly ClosedWindow[]): WindowSummary[] {
  return windows.map((window, place) => summaryOf(window, place === windows.length - 1));
}

export function summaryOf(window: ClosedWindow, withSlices: boolean): WindowSummary {
  return {
    startMicros: window.startMicros,
    endMicros: window.endMicros,
    predictions: window.predictions,
    labels: window.labels,
    evidence: [...window.evidence],
    kind: window.kind,
    version: window.version,
    judged: window.judged,
    falseAlarms: window.falseAlarms,
    reference: window.reference,
    revisions: window.revisions,
    closedBy: window.closedBy ?? '',
    slices: withSlices ? window.slices.map((group) => ({ ...group, measures: { ...group.measures } })) : [],
    fairness: fairnessOf(window.slices).map(({ gap, ...between }) => ({ ...between, gap: { ...gap } })),
    metrics: window.metrics.map(({ value, unit, failure, ...metric }) => ({
      ...metric,
      value: value && { ...value },
      unit: unit ?? '',
      failure: failure ?? '',
    })),
  };
}

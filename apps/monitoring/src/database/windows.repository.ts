import type { WindowSummary } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type { Evidence } from '../domain/evidence';
import type { SignalKind } from '../domain/retraining-policy';
import type { Queries } from './sql';

export interface ClosedWindow {
  readonly monitor: string;
  readonly kind: SignalKind;
  readonly version: number;
  readonly startMicros: number;
  readonly endMicros: number;
  /** False: it held too little to be judged and counts as none of n. */
  readonly judged: boolean;
  readonly crossed: boolean;
  readonly predictions: number;
  readonly labels: number;
  readonly evidence: readonly Evidence[];
  readonly lastPredictionId: string | undefined;
}

/** JSON has no NaN: a statistic that could not be computed is null there. */
type StoredEvidence = Omit<Evidence, 'value' | 'reference' | 'threshold'> & {
  value: number | null;
  reference: number | null;
  threshold: number | null;
};

interface Row extends Omit<ClosedWindow, 'evidence' | 'lastPredictionId'> {
  readonly evidence: StoredEvidence[];
  readonly lastPredictionId: string | null;
}

const COLUMNS = `monitor, kind, version::float8 AS version, start_time::float8 AS "startMicros",
  end_time::float8 AS "endMicros", judged, crossed, predictions, labels, evidence,
  last_prediction_id AS "lastPredictionId"`;

export async function saveWindow(queries: Queries, window: ClosedWindow): Promise<void> {
  await queries.query(
    `INSERT INTO windows (monitor, kind, version, start_time, end_time, judged, crossed, predictions, labels, evidence,
        last_prediction_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
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

/** The last windows of a monitor, of every kind and version, oldest first. */
export async function readLastWindows(queries: Queries, monitor: string, limit: number): Promise<ClosedWindow[]> {
  const rows = await queries.query<Row>(
    `SELECT ${COLUMNS} FROM windows WHERE monitor = $1 ORDER BY end_time DESC, closed_at DESC, kind LIMIT $2`,
    [monitor, limit],
  );
  return rows.reverse().map(windowOf);
}

function windowOf(row: Row): ClosedWindow {
  const { lastPredictionId, evidence, ...rest } = row;
  return {
    ...rest,
    lastPredictionId: lastPredictionId ?? undefined,
    evidence: evidence.map((entry) => ({
      ...entry,
      value: entry.value ?? Number.NaN,
      reference: entry.reference ?? Number.NaN,
      threshold: entry.threshold ?? Number.NaN,
    })),
  };
}

export function summaryOf(window: ClosedWindow): WindowSummary {
  return {
    startMicros: window.startMicros,
    endMicros: window.endMicros,
    predictions: window.predictions,
    labels: window.labels,
    evidence: [...window.evidence],
    kind: window.kind,
    version: window.version,
    judged: window.judged,
  };
}

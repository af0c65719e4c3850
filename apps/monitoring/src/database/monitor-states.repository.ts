import type { Signal, SignalKind } from '../domain/retraining-policy';
import { microsOrNull, type Queries } from './sql';

/** Where one kind of windows of a monitor stands, for the champion that it watches. */
export interface MonitorState {
  readonly monitor: string;
  readonly kind: SignalKind;
  readonly version: number;
  /** Start of the first window that is not closed; undefined until the champion answered. */
  readonly nextStartMicros: number | undefined;
  /** End of the last window that was closed. */
  readonly lastEndMicros: number | undefined;
  /** The signal, while it stands. */
  readonly signal: Signal | undefined;
}

interface Row {
  monitor: string;
  kind: SignalKind;
  version: number;
  next_start: number | null;
  last_end: number | null;
  stands: boolean;
  since: number | null;
  signal_event_id: string | null;
  signal_correlation_id: string | null;
  signal_traceparent: string | null;
}

const COLUMNS = `monitor, kind, version::float8 AS version, next_start::float8 AS next_start,
  last_end::float8 AS last_end, stands, since::float8 AS since, signal_event_id, signal_correlation_id,
  signal_traceparent`;

export async function readStates(queries: Queries, monitor: string): Promise<MonitorState[]> {
  const rows = await queries.query<Row>(`SELECT ${COLUMNS} FROM monitor_states WHERE monitor = $1`, [monitor]);
  return rows.map(stateOf);
}

export async function readAllStates(queries: Queries): Promise<MonitorState[]> {
  return (await queries.query<Row>(`SELECT ${COLUMNS} FROM monitor_states`)).map(stateOf);
}

export async function saveState(queries: Queries, state: MonitorState): Promise<void> {
  await queries.query(
    `INSERT INTO monitor_states (monitor, kind, version, next_start, last_end, stands, since, signal_event_id,
        signal_correlation_id, signal_traceparent)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (monitor, kind) DO UPDATE
        SET version = excluded.version, next_start = excluded.next_start, last_end = excluded.last_end,
            stands = excluded.stands, since = excluded.since, signal_event_id = excluded.signal_event_id,
            signal_correlation_id = excluded.signal_correlation_id, signal_traceparent = excluded.signal_traceparent`,
    [
      state.monitor,
      state.kind,
      state.version,
      microsOrNull(state.nextStartMicros),
      microsOrNull(state.lastEndMicros),
      state.signal !== undefined,
      microsOrNull(state.signal?.sinceMicros),
      state.signal?.eventId ?? null,
      state.signal?.correlationId ?? null,
      state.signal?.traceparent ?? null,
    ],
  );
}

function stateOf(row: Row): MonitorState {
  return {
    monitor: row.monitor,
    kind: row.kind,
    version: row.version,
    nextStartMicros: row.next_start ?? undefined,
    lastEndMicros: row.last_end ?? undefined,
    signal: row.stands
      ? {
          kind: row.kind,
          sinceMicros: row.since ?? 0,
          eventId: row.signal_event_id ?? '',
          correlationId: row.signal_correlation_id ?? '',
          traceparent: row.signal_traceparent ?? undefined,
        }
      : undefined,
  };
}

import type { LabelFields } from '../domain/business-metrics';
import type { Queries } from './sql';

export interface LabelRow {
  readonly source: string;
  readonly key: string;
  readonly value: number;
  readonly eventTimeMicros: number;
  readonly knownTimeMicros: number;
  /** Wall clock at which upstream published it. */
  readonly publishedMicros: number;
  readonly eventId: string;
  readonly correlationId: string;
  readonly traceparent: string | undefined;
  /** Of its record, what metrics read; undefined: nothing. */
  readonly fields?: LabelFields | undefined;
}

/** Writes labels and corrections that became known later; returns those that are news. */
export async function saveLabels(queries: Queries, labels: readonly LabelRow[]): Promise<LabelRow[]> {
  const latest = new Map<string, LabelRow>();
  for (const label of labels) {
    const id = `${label.source}\n${label.key}`;
    const other = latest.get(id);
    if (!other || label.knownTimeMicros > other.knownTimeMicros) latest.set(id, label);
  }
  const rows = [...latest.values()];
  const column = <V>(of: (label: LabelRow) => V): V[] => rows.map(of);
  const written = await queries.query<{ source: string; key: string }>(
    `INSERT INTO labels (source, key, value, event_time, known_time, published, event_id, correlation_id, traceparent,
        fields)
     SELECT * FROM unnest($1::text[], $2::text[], $3::double precision[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::text[], $8::text[], $9::text[], $10::jsonb[])
     ON CONFLICT (source, key) DO UPDATE
        SET value = excluded.value, event_time = excluded.event_time, known_time = excluded.known_time,
            published = excluded.published, event_id = excluded.event_id, correlation_id = excluded.correlation_id,
            traceparent = excluded.traceparent, fields = excluded.fields
      WHERE excluded.known_time > labels.known_time
     RETURNING source, key`,
    [
      column((label) => label.source),
      column((label) => label.key),
      column((label) => label.value),
      column((label) => label.eventTimeMicros),
      column((label) => label.knownTimeMicros),
      column((label) => label.publishedMicros),
      column((label) => label.eventId),
      column((label) => label.correlationId),
      column((label) => label.traceparent ?? null),
      column((label) => (label.fields === undefined ? null : JSON.stringify(label.fields))),
    ],
  );
  return written.flatMap((row) => latest.get(`${row.source}\n${row.key}`) ?? []);
}

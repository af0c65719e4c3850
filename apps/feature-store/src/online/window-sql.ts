import type { AccumulatorColumn, AccumulatorValue } from '../domain/accumulators';
import type { ViewPart } from './online-plan';

/**
 * Accumulators of many (entity, moment) pairs of one view by one statement: $1 positions, $2 entities, $3 moments, $4 id of
 * the view's version, $5 its stream. A record counts when t − window < event_time ≤ t and known_time ≤ t. Sums of bigint are exact in
 * Postgres; `::float8` rounds once, to the nearest. No rows when the version has just been replaced by a newer one. The
 * watermark comes from the same snapshot: by it one knows whether the records are still there.
 */
export function windowSql({ view, accumulators }: ViewPart): string {
  const columns = accumulators.columns.map(
    (column, index) => `${columnSql(column, view.longestWindowMicros)} AS c${index}`,
  );
  return `
    SELECT q.i, w.watermark, a.* FROM unnest($1::int[], $2::text[], $3::bigint[]) AS q (i, entity, t)
    CROSS JOIN (SELECT min(p.watermark)::float8 AS watermark FROM stream_progress p WHERE p.stream = $5) w
    CROSS JOIN LATERAL (
      SELECT ${columns.join(', ')} FROM feature_records r
       WHERE r.view_id = $4 AND r.entity = q.entity
         AND r.event_time > q.t - ${view.longestWindowMicros}::bigint AND r.event_time <= q.t AND r.known_time <= q.t
    ) a
    WHERE EXISTS (SELECT 1 FROM view_versions v WHERE v.id = $4 AND NOT v.replaced)`;
}

function columnSql({ kind, input, windowMicros }: AccumulatorColumn, longestMicros: number): string {
  const x = `r.inputs[${(input ?? 0) + 1}]`;
  const within = windowMicros === longestMicros ? '' : ` FILTER (WHERE r.event_time > q.t - ${windowMicros}::bigint)`;
  switch (kind) {
    case 'count':
      return `(count(${input === undefined ? '*' : x})${within})::float8`;
    case 'sum':
      return `(sum(${x})${within})::float8`;
    case 'wholeSum':
      return `(sum(${x})${within})::text`;
    case 'sumOfSquares':
      return `(sum(${x}::numeric * ${x})${within})::text`;
    case 'min':
    case 'max':
      return `(${kind}(${x})${within})::float8`;
  }
}

/** Whole sums come as text, everything else as a double. */
export function accumulatorOf(value: unknown): AccumulatorValue {
  if (typeof value === 'string') return BigInt(value);
  return typeof value === 'number' ? value : null;
}

// What metrics read of the records that labels came in.
import { textArray } from '@headrace/messaging';
import type { LabelFields } from '../domain/business-metrics';
import type { Queries } from './sql';

/** Predictions that are looked up at a time. */
const PAGE_ROWS = 4_096;

/** By prediction; absent: its label came before any metric read its record, or is no longer kept. */
export async function readLabelFields(
  queries: Queries,
  source: string,
  predictionIds: readonly string[],
): Promise<ReadonlyMap<string, LabelFields>> {
  const found = new Map<string, LabelFields>();
  for (let from = 0; from < predictionIds.length; from += PAGE_ROWS) {
    const page = await queries.query<{ id: string; fields: LabelFields }>(
      `SELECT p.prediction_id AS id, l.fields
         FROM predictions p JOIN labels l ON l.source = $1 AND l.key = p.join_key
        WHERE p.prediction_id = ANY($2::text[]) AND l.fields IS NOT NULL`,
      [source, textArray(predictionIds.slice(from, from + PAGE_ROWS))],
    );
    for (const { id, fields } of page) found.set(id, fields);
  }
  return found;
}

// Features with which single requests were served.
import { textArray } from '@headrace/messaging';
import { float8sOf } from './float8s';
import { layoutNames } from './labelled-requests.repository';
import type { Queries } from './sql';

/** Requests that are looked up at a time. */
const PAGE_ROWS = 4_096;

/**
 * A column for each name, parallel to the predictions; NaN where the request was not served with it, had no value of it, or
 * is no longer kept.
 */
export async function readServedFeatures(
  queries: Queries,
  predictionIds: readonly string[],
  names: readonly string[],
): Promise<Float64Array[]> {
  const columns = names.map(() => new Float64Array(predictionIds.length).fill(Number.NaN));
  const layouts = new Map<string, readonly number[]>();
  for (let from = 0; names.length > 0 && from < predictionIds.length; from += PAGE_ROWS) {
    const page = predictionIds.slice(from, from + PAGE_ROWS);
    const rowOf = new Map(page.map((id, row) => [id, from + row]));
    const found = await queries.query<{ id: string; layout: string; features: Buffer }>(
      'SELECT prediction_id AS id, layout, features FROM served_predictions WHERE prediction_id = ANY($1::text[])',
      [textArray(page)],
    );
    for (const { id, layout, features } of found) {
      let places = layouts.get(layout);
      if (!places) {
        const served = await layoutNames(queries, layout);
        places = names.map((name) => served.indexOf(name));
        layouts.set(layout, places);
      }
      const row = rowOf.get(id);
      if (row === undefined) continue;
      const values = float8sOf(features);
      for (const [index, column] of columns.entries()) column[row] = values[places[index] ?? -1] ?? Number.NaN;
    }
  }
  return columns;
}

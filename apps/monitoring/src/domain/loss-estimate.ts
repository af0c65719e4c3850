// The error of a regression as it is likely to be before labels come (direct loss estimation).
import { estimateDle, fitDle, LossModel, type Dle, type LossEstimate } from '@headrace/statistics';
import type { ScoredRow } from './evidence';
import type { LossTrees, ReferenceProfile } from './reference-profile';

interface Fitted {
  readonly dle: Dle;
  readonly absolute: LossModel;
  readonly squared: LossModel;
}

const fitted = new WeakMap<LossTrees, Fitted>();

/**
 * MAE and RMSE of the rows with their bands of three sampling errors. The trees have learnt the error of the backtest's model on rows that
 * it had not seen; they see what it saw, 32-bit features. Blind to concept drift, and to errors where the reference had no rows.
 */
export function estimateLosses(
  rows: readonly ScoredRow[],
  trees: LossTrees,
  labelled: NonNullable<ReferenceProfile['labelled']>,
): { readonly mae: LossEstimate; readonly rmse: LossEstimate } {
  const { dle, absolute, squared } = fittedOf(trees, labelled);
  const features = trees.inputs.slice(0, -1);
  const columns = new Map<readonly string[], readonly number[]>();
  const row = new Float64Array(trees.inputs.length);
  const losses = { absolute: new Array<number>(rows.length), squared: new Array<number>(rows.length) };
  for (const [index, { names, features: values, score }] of rows.entries()) {
    let places = columns.get(names);
    if (!places) {
      places = features.map((name) => names.indexOf(name));
      columns.set(names, places);
    }
    for (const [column, place] of places.entries()) row[column] = Math.fround(values[place] ?? Number.NaN);
    row[features.length] = score;
    losses.absolute[index] = absolute.lossOf(row);
    losses.squared[index] = squared.lossOf(row);
  }
  return estimateDle(dle, losses.absolute, losses.squared);
}

function fittedOf(trees: LossTrees, { labels, scores }: NonNullable<ReferenceProfile['labelled']>): Fitted {
  let found = fitted.get(trees);
  if (!found) {
    found = {
      dle: fitDle(labels, scores),
      absolute: new LossModel(trees.absolute),
      squared: new LossModel(trees.squared),
    };
    fitted.set(trees, found);
  }
  return found;
}

// Reconstruction error of several features together: sees when features stop going together although each looks as before.
import { mean, present, variance } from '../samples';

/** What is kept of the reference: plain data, parallel by feature. */
export interface Reconstruction {
  /** Stands for a missing value. */
  readonly imputed: readonly number[];
  readonly means: readonly number[];
  /** Above 0; 1 of a feature that never changes. */
  readonly deviations: readonly number[];
  /** Kept components as rows, unit length and orthogonal, of the standardised features. */
  readonly components: readonly (readonly number[])[];
}

/**
 * Principal components of standardised reference rows: as many as explain more than `share` of the variance (a number below
 * 1, and one less than there are features that change, for all of them reconstruct everything), or so many. Missing values (NaN)
 * are their feature's mean. scikit-learn's SimpleImputer, StandardScaler and PCA; NannyML's data reconstruction drift of numbers
 * with 0.65. Several times as many rows as features; a feature without any value is refused.
 */
export function fitReconstruction(rows: readonly (readonly number[])[], share = 0.65): Reconstruction {
  const width = rows[0]?.length ?? 0;
  if (rows.length < 2 || width === 0) throw new RangeError('reconstruction: expected two rows or more with features');
  const found = Array.from({ length: width }, (_, column) => rows.map((row) => row[column] ?? Number.NaN));
  const imputed = found.map((column) => mean(present(column)));
  const empty = imputed.findIndex((value) => Number.isNaN(value));
  if (empty >= 0) throw new RangeError(`reconstruction: feature ${empty} has no value`);
  const columns = found.map((column, j) => column.map((value) => (Number.isNaN(value) ? (imputed[j] ?? 0) : value)));
  const means = columns.map(mean);
  const spreads = columns.map((column) => Math.sqrt(variance(column, 0)));
  const deviations = spreads.map((spread) => spread || 1);
  const scaled = columns.map((column, j) => column.map((value) => (value - (means[j] ?? 0)) / (deviations[j] ?? 1)));
  const covariance = scaled.map((left) => scaled.map((right) => dot(left, right) / rows.length));
  const pairs = eigen(covariance).sort((a, b) => b.value - a.value);
  const total = pairs.reduce((sum, pair) => sum + pair.value, 0);
  const most = spreads.filter((spread) => spread > 0).length - 1;
  let kept = share >= 1 ? share : 0;
  for (let explained = 0; share < 1 && kept < most && explained <= share; kept += 1) {
    explained += (pairs[kept]?.value ?? 0) / total;
  }
  return { imputed, means, deviations, components: pairs.slice(0, kept).map((pair) => pair.vector) };
}

/** Reconstruction errors of rows, one after the other: 2 × components × features multiplications each, and no garbage. */
export class RowReconstruction {
  private readonly components: readonly Float64Array[];
  private readonly scaled: Float64Array;
  private readonly rest: Float64Array;

  constructor(private readonly fitted: Reconstruction) {
    this.components = fitted.components.map((component) => Float64Array.from(component));
    this.scaled = new Float64Array(fitted.means.length);
    this.rest = new Float64Array(fitted.means.length);
  }

  /** Distance of a row, standardised, from the plane of the components. What is no finite number counts as missing. */
  errorOf(row: ArrayLike<number>): number {
    const { imputed, means, deviations } = this.fitted;
    const { components, scaled, rest } = this;
    const width = scaled.length;
    for (let j = 0; j < width; j += 1) {
      const value = row[j] ?? Number.NaN;
      const known = Number.isFinite(value) ? value : (imputed[j] ?? 0);
      rest[j] = scaled[j] = (known - (means[j] ?? 0)) / (deviations[j] ?? 1);
    }
    for (const component of components) {
      let along = 0;
      for (let j = 0; j < width; j += 1) along += (component[j] ?? 0) * (scaled[j] ?? 0);
      for (let j = 0; j < width; j += 1) rest[j] = (rest[j] ?? 0) - along * (component[j] ?? 0);
    }
    // The rest itself, not the difference of two squared lengths: that would be all rounding where features follow each other.
    let squares = 0;
    for (let j = 0; j < width; j += 1) squares += (rest[j] ?? 0) ** 2;
    return Math.sqrt(squares);
  }
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}

/** Eigenvalues and unit eigenvectors of a symmetric matrix by cyclic Jacobi rotations (Golub & Van Loan, 8.5). */
function eigen(symmetric: readonly (readonly number[])[]): { value: number; vector: number[] }[] {
  const n = symmetric.length;
  const a = symmetric.map((row) => [...row]);
  const vectors = a.map((_, i) => a.map((__, j) => (i === j ? 1 : 0)));
  const at = (i: number, j: number): number => a[i]?.[j] ?? 0;
  for (let sweep = 0; sweep < 100; sweep += 1) {
    let off = 0;
    for (let i = 0; i < n; i += 1) for (let j = 0; j < i; j += 1) off += at(i, j) ** 2;
    if (off < 1e-28) break;
    for (let p = 0; p < n; p += 1) {
      for (let q = p + 1; q < n; q += 1) {
        if (at(p, q) === 0) continue;
        const theta = (at(q, q) - at(p, p)) / (2 * at(p, q));
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        for (const row of a) rotate(row, p, q, c, t * c);
        const [rowP = [], rowQ = []] = [a[p], a[q]];
        for (let k = 0; k < n; k += 1) {
          const [x = 0, y = 0] = [rowP[k], rowQ[k]];
          rowP[k] = c * x - t * c * y;
          rowQ[k] = t * c * x + c * y;
        }
        for (const row of vectors) rotate(row, p, q, c, t * c);
      }
    }
  }
  return a.map((_, j) => ({ value: at(j, j), vector: vectors.map((row) => row[j] ?? 0) }));
}

function rotate(row: number[], p: number, q: number, c: number, s: number): void {
  const [x = 0, y = 0] = [row[p], row[q]];
  row[p] = c * x - s * y;
  row[q] = s * x + c * y;
}

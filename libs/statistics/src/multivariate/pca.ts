// Reconstruction error of several features together: sees when features stop going together although each looks as before.
import { mean, variance } from '../samples';

/** What is kept of the reference: plain data. */
export interface Reconstruction {
  readonly means: readonly number[];
  readonly deviations: readonly number[];
  /** Kept components as rows, unit length, of the standardised features. */
  readonly components: readonly (readonly number[])[];
}

/**
 * Principal components of standardised reference rows: as many as explain at least `share` of the variance (a number below
 * 1), or so many. scikit-learn's StandardScaler and PCA; NannyML's data reconstruction drift with 0.65. Rows without
 * missing values, several times as many as features.
 */
export function fitReconstruction(rows: readonly (readonly number[])[], share = 0.65): Reconstruction {
  const width = rows[0]?.length ?? 0;
  if (rows.length < 2 || width === 0) throw new RangeError('reconstruction: expected two rows or more with features');
  const columns = Array.from({ length: width }, (_, column) => rows.map((row) => row[column] ?? Number.NaN));
  const means = columns.map(mean);
  const deviations = columns.map((column) => Math.sqrt(variance(column, 0)) || 1);
  const scaled = columns.map((column, j) => column.map((value) => (value - (means[j] ?? 0)) / (deviations[j] ?? 1)));
  const covariance = scaled.map((left) => scaled.map((right) => dot(left, right) / rows.length));
  const pairs = eigen(covariance).sort((a, b) => b.value - a.value);
  const total = pairs.reduce((sum, pair) => sum + pair.value, 0);
  let kept = share >= 1 ? share : 0;
  for (let explained = 0; share < 1 && kept < width && explained <= share; kept += 1) {
    explained += (pairs[kept]?.value ?? 0) / total;
  }
  return { means, deviations, components: pairs.slice(0, kept).map((pair) => pair.vector) };
}

/** Distance of one row, standardised, from the plane of the components. NaN when a feature is missing. */
export function reconstructionError({ means, deviations, components }: Reconstruction, row: readonly number[]): number {
  const scaled = means.map((centre, j) => ((row[j] ?? Number.NaN) - centre) / (deviations[j] ?? 1));
  const rest = [...scaled];
  for (const component of components) {
    const along = dot(component, scaled);
    for (const [j, weight] of component.entries()) rest[j] = (rest[j] ?? 0) - along * weight;
  }
  return Math.sqrt(dot(rest, rest));
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

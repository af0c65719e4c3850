import { expectClose, golden, normals, uniforms, type Sample } from '../../test/golden';
import { andersonDarling } from '../tests/anderson-darling';
import { goodnessOfFit } from '../tests/contingency';
import { ksTest } from '../tests/ks';
import { mannWhitney } from '../tests/mann-whitney';
import { proportionsTest } from '../tests/proportions';
import { studentsT } from '../tests/students-t';
import { variance } from '../samples';
import { binCounts, categoryCounts, sharesOf, sturgesEdges, withoutZeros } from './bins';
import { energyDistance, normedWasserstein } from './samples';
import { hellinger, jensenShannon, kullbackLeibler, psi } from './shares';

type Categories = readonly [seed: number, count: number, edges: number[]];
const numbers = golden<{
  numeric: ({ a: Sample; b: Sample } & Record<string, number>)[];
  categorical: ({ a: Categories; b: Categories } & Record<string, number>)[];
  z: { a: Categories; b: Categories; pValue: number };
}>('evidently');

/** Evidently counts by Sturges's bins over both sides, or by value when the reference has at most 20 different ones. */
function counts(a: number[], b: number[]): [number[], number[]] {
  if (new Set(a).size <= 20) {
    const found = categoryCounts(a, b);
    return [found.a, found.b];
  }
  const inner = sturgesEdges([...a, ...b]).slice(1, -1);
  return [binCounts(a, inner, 'left'), binCounts(b, inner, 'left')];
}

function categoriesOf([seed, count, edges]: Categories): number[] {
  return uniforms(seed, count).map((u) => {
    const found = edges.findIndex((edge) => u < edge);
    return found === -1 ? edges.length : found;
  });
}

function filled(a: readonly number[], b: readonly number[]): [number[], number[]] {
  return [withoutZeros(sharesOf(a)), withoutZeros(sharesOf(b))];
}

describe("numbers of features are Evidently's", () => {
  it.each(numbers.numeric.map((entry) => [entry.a[1], entry.b[1], entry] as const))('%d and %d values', (_n, _m, e) => {
    const [a, b] = [normals(e.a), normals(e.b)];
    const [r, c] = counts(a, b);
    const expected = (name: string): number => e[name] ?? 0;
    expectClose(psi(...filled(r, c)), expected('psi'));
    expectClose(kullbackLeibler(...filled(r, c)), expected('kullbackLeibler'));
    expectClose(jensenShannon(sharesOf(r), sharesOf(c)), expected('jensenShannon'));
    expectClose(normedWasserstein(a, b, Math.sqrt(variance(a, 0))), expected('wasserstein'));
    expectClose(energyDistance(a, b), expected('energy'));
    expectClose(ksTest(a, b).pValue, expected('ks'));
    // Evidently asks only whether values rose, which these do; a fall it would not see.
    expectClose(mannWhitney(a, b).pValue / 2, expected('mannWhitney'));
    expectClose(studentsT(a, b).pValue, expected('studentsT'));
    expectClose(andersonDarling(a, b).pValue, expected('andersonDarling'));
    // Hellinger alone takes Sturges's bins of the different values.
    const inner = sturgesEdges([...new Set([...a, ...b])]).slice(1, -1);
    const shares = [sharesOf(binCounts(a, inner, 'left')), sharesOf(binCounts(b, inner, 'left'))] as const;
    expectClose(hellinger(...shares), expected('hellinger'));
  });
});

describe("numbers of categories are Evidently's", () => {
  it.each(numbers.categorical.map((entry) => [entry.a[1], entry.b[1], entry] as const))('%d and %d', (_n, _m, e) => {
    const { a, b } = categoryCounts(categoriesOf(e.a), categoriesOf(e.b));
    const expected = (name: string): number => e[name] ?? 0;
    expectClose(goodnessOfFit(a, b).pValue, expected('chiSquare'));
    if (e.g !== undefined) expectClose(goodnessOfFit(a, b, 'log-likelihood').pValue, e.g);
    expectClose(psi(...filled(a, b)), expected('psi'));
    expectClose(kullbackLeibler(...filled(a, b)), expected('kullbackLeibler'));
    expectClose(jensenShannon(sharesOf(a), sharesOf(b)), expected('jensenShannon'));
    expectClose(hellinger(sharesOf(a), sharesOf(b)), expected('hellinger'));
  });

  it('of two: z', () => {
    const [a, b] = [categoriesOf(numbers.z.a), categoriesOf(numbers.z.b)];
    const ones = (values: number[]): number => values.filter((value) => value === 1).length;
    expectClose(proportionsTest(ones(a), a.length, ones(b), b.length).pValue, numbers.z.pValue);
  });
});

import { wasserstein, wassersteinOfSorted } from '../distances/samples';
import { Random } from './random';
import { sortNumbers } from './sort';

describe('ordering of many numbers', () => {
  const random = new Random(7);
  const wild = Float64Array.from({ length: 20_000 }, () => (random.next() - 0.5) * 10 ** (random.next() * 600 - 300));

  it('is that of the numbers: of either sign, of all sizes, infinite, with ties', () => {
    const values = Float64Array.from([...wild, ...wild.subarray(0, 500), 0, -0, Infinity, -Infinity, 5e-324, -5e-324]);
    const expected = [...values].sort((a, b) => a - b);
    // +0 and −0 are equal to every reader of it; an order of theirs is none.
    expect([...sortNumbers(values.slice())].map((value) => value + 0)).toEqual(expected.map((value) => value + 0));
    expect([...sortNumbers(values.slice(0, 100))]).toEqual([...values.slice(0, 100)].sort((a, b) => a - b));
  });

  it('takes a part of a larger array and a spare one', () => {
    const values = wild.slice();
    sortNumbers(values.subarray(1_000, 11_000), new Float64Array(15_000));
    expect([...values.subarray(1_000, 11_000)]).toEqual([...wild.subarray(1_000, 11_000)].sort((a, b) => a - b));
    expect(values.subarray(0, 1_000)).toEqual(wild.subarray(0, 1_000));
    expect(values.subarray(11_000)).toEqual(wild.subarray(11_000));
  });

  it('gives distances what they need', () => {
    const [a, b] = [1, 2].map((shift) => Float64Array.from({ length: 9_000 }, () => random.next() + shift / 5));
    if (!a || !b) throw new Error('expected two samples');
    expect(wassersteinOfSorted(sortNumbers(a.slice()), sortNumbers(b.slice()))).toBe(wasserstein([...a], [...b]));
  });
});

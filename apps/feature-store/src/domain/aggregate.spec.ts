import { compiled, everyAggregate, featureView, randomNumbers } from '../../test/builders';
import { featureAt } from '../../test/oracle';
import { planAccumulators } from './accumulators';
import { finishAggregate, radicandOf } from './aggregate';
import { toUnits } from './fixed-point';

const NOTHING = { count: 0, sum: 0, radicand: 0, min: 0, max: 0 };

describe('an aggregate', () => {
  it('over an empty window is 0 for count and missing for everything else', () => {
    expect(finishAggregate('count', NOTHING)).toBe(0);
    for (const kind of ['sum', 'mean', 'min', 'max', 'stddev'] as const)
      expect(finishAggregate(kind, NOTHING)).toBeNaN();
  });

  it('is the same to the bit in whatever order its records come', () => {
    const random = randomNumbers(11);
    const records = Array.from({ length: 500 }, () => ({
      entity: 'A',
      eventTime: 1,
      knownTime: 1,
      inputs: [toUnits((random() - 0.5) * 10 ** (random() * 9)) ?? null],
    }));
    const view = compiled(featureView({ features: everyAggregate('record.delay', ['3h']) }));
    for (const feature of view.features.values()) {
      const value = featureAt(records, feature, 'A', 1);
      expect(featureAt([...records].reverse(), feature, 'A', 1)).toBe(value);
      expect(
        featureAt(
          [...records].sort(() => random() - 0.5),
          feature,
          'A',
          1,
        ),
      ).toBe(value);
    }
  });

  it('of values that differ only far behind the point keeps its spread', () => {
    const values = [1e5 + 1e-6, 1e5 - 1e-6].map((value) => toUnits(value) ?? 0n);
    const [a, b] = [values[0] ?? 0n, values[1] ?? 0n];
    const radicand = radicandOf(2n, a + b, a * a + b * b);
    expect(finishAggregate('stddev', { ...NOTHING, count: 2, radicand })).toBeCloseTo(1e-6, 9);
  });
});

describe('the accumulators of some features', () => {
  it('are fetched once each, and whole sums only where something is computed with them', () => {
    const view = compiled(featureView({ features: everyAggregate('record.delay', ['3h']) }));
    const { columns } = planAccumulators([...view.features.values()]);
    expect(columns.map(({ kind, input }) => `${kind} ${input ?? 'records'}`)).toEqual([
      'count records',
      'count 0',
      'sum 0',
      'min 0',
      'max 0',
      'wholeSum 0',
      'sumOfSquares 0',
    ]);
  });
});

describe('an input', () => {
  it('is rounded once to units of 1e-9', () => {
    expect(toUnits(0.1)).toBe(100_000_000n);
    expect(toUnits(-1.0000000004)).toBe(-1_000_000_000n);
    expect(toUnits(9.2e9)).toBe(9_200_000_000_000_000_000n);
  });

  it('that is missing, infinite or too large counts as missing', () => {
    for (const value of [undefined, NaN, Infinity, -Infinity, 9.3e9, -9.3e9]) expect(toUnits(value)).toBeUndefined();
  });
});

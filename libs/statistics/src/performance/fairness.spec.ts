import { expectClose, golden } from '../../test/golden';
import { Random } from '../numerics/random';
import { classificationMeasures, confusionOf } from './classification';
import { largestGap } from './fairness';
import { proportionInterval } from './intervals';

const numbers = golden<
  {
    readonly seed: number;
    readonly count: number;
    readonly groups: number;
    readonly threshold: number;
    readonly demographic_parity: number;
    readonly equal_opportunity: number;
  }[]
>('fairness');

/** As golden/fairness_numbers.py makes them. */
function rowsOf(seed: number, count: number, groups: number) {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const group = random.below(groups);
    const score = random.next() * (1 - 0.1 * group);
    return { group, score, label: random.next() < score ? 1 : 0 };
  });
}

describe('differences between groups', () => {
  it.each(numbers)("are fairlearn's, of $groups groups", ({ seed, count, groups, threshold, ...expected }) => {
    const rows = rowsOf(seed, count, groups);
    const each = Array.from({ length: groups }, (_, group) => rows.filter((row) => row.group === group));
    const shares = each.map((inside, group) => {
      const positives = inside.filter((row) => row.score >= threshold).length;
      return { group: String(group), share: proportionInterval(positives, inside.length) };
    });
    const recalls = each.map((inside, group) => {
      const labels = inside.map((row) => row.label);
      const scores = inside.map((row) => row.score);
      return { group: String(group), share: classificationMeasures(confusionOf(labels, scores, threshold)).recall };
    });
    expectClose(largestGap(shares)?.gap.value ?? Number.NaN, expected.demographic_parity);
    expectClose(largestGap(recalls)?.gap.value ?? Number.NaN, expected.equal_opportunity);
  });

  it("have Newcombe's interval: 56/70 against 48/80 is 0.0524 to 0.3339 in his paper", () => {
    const found = largestGap([
      { group: 'b', share: proportionInterval(48, 80) },
      { group: 'a', share: proportionInterval(56, 70) },
    ]);
    expect(found).toMatchObject({ lowest: 'b', highest: 'a' });
    expect(found?.gap.value).toBeCloseTo(0.2, 12);
    expect(found?.gap.low).toBeCloseTo(0.0524, 4);
    expect(found?.gap.high).toBeCloseTo(0.3339, 4);
  });

  it('need two groups of which it is known', () => {
    const share = proportionInterval(3, 10);
    expect(largestGap([{ group: 'a', share }])).toBeUndefined();
    expect(
      largestGap([
        { group: 'a', share },
        { group: 'b', share: proportionInterval(0, 0) },
      ]),
    ).toBeUndefined();
  });
});

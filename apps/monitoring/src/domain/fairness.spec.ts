import { fairnessOf } from './fairness';
import { labelledGroups, SlicedAnswers, type Slice } from './slices';

const slice: Slice = { feature: 'region', values: [0, 1], minimumSample: 10 };
// Region 1 is told yes half as often, and found half as often; 2 is none of the values.
const rows = Array.from({ length: 90 }, (_, row) => {
  const region = row % 3;
  const isTold = region === 0 ? row % 2 === 0 : row % 4 === 0;
  return { region, label: 1, score: region === 2 || isTold ? 0.9 : 0.1 };
});
const column = Float64Array.from(rows, (row) => row.region);

describe('fairness between the groups of a slice', () => {
  it('is the difference of positive answers and of recalls, between declared values alone', () => {
    const gaps = fairnessOf(labelledGroups([slice], rows, [column], 'binary', 0.5));
    expect(gaps.map(({ measure, lowest, highest }) => [measure, lowest, highest])).toEqual([
      ['demographic_parity_difference', '1', '0'],
      ['equal_opportunity_difference', '1', '0'],
    ]);
    const shareOf = (region: number) => {
      const inside = rows.filter((row) => row.region === region);
      return inside.filter((row) => row.score >= 0.5).length / inside.length;
    };
    for (const { gap } of gaps) {
      expect(gap.value).toBeCloseTo(shareOf(0) - shareOf(1), 12);
      expect([gap.low < gap.value, gap.high > gap.value]).toEqual([true, true]);
    }
  });

  it('is known of answers before labels, and of no group below its minimum sample', () => {
    const answers = (minimumSample: number) => {
      const counted = new SlicedAnswers([{ ...slice, minimumSample }], 0.5);
      const scores = Float64Array.from(rows, (row) => row.score);
      counted.add({ names: ['region'], asOf: scores, scores, features: column });
      return fairnessOf(counted.groups()).map(({ measure }) => measure);
    };
    expect(answers(10)).toEqual(['demographic_parity_difference']);
    expect(answers(31)).toEqual([]);
  });
});

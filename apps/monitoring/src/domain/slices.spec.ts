import { allMeasures } from '@headrace/statistics';
import { columnsOf } from '../../test/windows';
import { groupNamesOf, labelledGroups, SlicedAnswers, type Slice } from './slices';

const distance: Slice = { feature: 'distance', edges: [500, 1_000], minimumSample: 3 };
const weekend: Slice = { feature: 'weekend', values: [0, 1], minimumSample: 1 };

const rows = Array.from({ length: 60 }, (_, row) => ({ label: row % 3 === 0 ? 1 : 0, score: ((row * 7) % 60) / 60 }));

describe('groups of a slice', () => {
  it('are named by what is in them', () => {
    expect(groupNamesOf(distance)).toEqual(['< 500', '[500, 1000)', '>= 1000', '(missing)']);
    expect(groupNamesOf(weekend)).toEqual(['0', '1', '(other)', '(missing)']);
  });

  it('have the measures of their own rows alone', () => {
    const column = Float64Array.from(rows, (_, row) => (row % 2 === 0 ? 100 : 700));
    const groups = labelledGroups([distance], rows, [column], 'binary', 0.5);
    expect(groups.map(({ slice, group, rows: count }) => [slice, group, count])).toEqual([
      ['distance', '< 500', 30],
      ['distance', '[500, 1000)', 30],
    ]);
    const even = rows.filter((_, row) => row % 2 === 0);
    const alone = allMeasures(
      'binary',
      even.map((row) => row.label),
      even.map((row) => row.score),
      { threshold: 0.5 },
    );
    expect(groups[0]?.measures).toMatchObject(alone);
    const positives = even.filter((row) => row.score >= 0.5).length;
    expect(groups[0]?.measures['positive_share']?.value).toBeCloseTo(positives / 30, 12);
  });

  it('count every row once: an edge belongs to the group above it, what is missing or undeclared to one of its own', () => {
    const values = [499.9, 500, 999.9, 1_000, Number.NaN];
    const some = values.map(() => ({ label: 1, score: 0.7 }));
    const at = (slice: Slice, column: readonly number[]) =>
      labelledGroups([slice], some, [Float64Array.from(column)], 'regression', 0.5).map(({ group, rows: n }) => [
        group,
        n,
      ]);
    expect(at(distance, values)).toEqual([
      ['< 500', 1],
      ['[500, 1000)', 2],
      ['>= 1000', 1],
      ['(missing)', 1],
    ]);
    expect(at(weekend, [0, 1, 2, 1, Number.NaN])).toEqual([
      ['0', 1],
      ['1', 2],
      ['(other)', 1],
      ['(missing)', 1],
    ]);
  });

  it('are counted and not measured below the minimum sample', () => {
    const column = Float64Array.from(rows, (_, row) => (row < 2 ? 2_000 : 100));
    const small = labelledGroups([distance], rows, [column], 'binary', 0.5).find(({ group }) => group === '>= 1000');
    expect(small).toEqual({ slice: 'distance', group: '>= 1000', rows: 2, measures: {} });
  });

  it('leave out what cannot be computed, such as the AUC of one class', () => {
    const same = rows.map(({ score }) => ({ label: 0, score }));
    const [group] = labelledGroups([distance], same, [new Float64Array(60)], 'binary', 0.5);
    expect(group?.measures['auc']).toBeUndefined();
    expect(group?.measures['brier']?.value).toBeGreaterThan(0);
  });
});

describe('answers before labels', () => {
  it('are counted by group over all batches, whatever their layout', () => {
    const answers = new SlicedAnswers([weekend], 0.5);
    const row = (weekendValue: number, score: number) => ({
      names: ['x', 'weekend'],
      features: [9, weekendValue],
      score,
    });
    answers.add(columnsOf([row(0, 0.4), row(0, 0.5), row(1, 0.9)]));
    answers.add(columnsOf([{ names: ['weekend'], features: [1], score: 0.1 }]));
    answers.add(columnsOf([{ names: ['x'], features: [1], score: 0.9 }]));
    const shares = answers
      .groups()
      .map(({ group, rows: n, measures }) => [group, n, measures['positive_share']?.value]);
    expect(shares).toEqual([
      ['0', 2, 0.5],
      ['1', 2, 0.5],
      ['(missing)', 1, 1],
    ]);
  });
});

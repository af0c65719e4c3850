import { groupOf, groupsOf, type ReplayedRow } from './replay-report';

const rules = { lengthMicros: 10, minimumPairs: 2 };

function rows(count: number, fields: (index: number) => Partial<ReplayedRow> = () => ({})): ReplayedRow[] {
  return Array.from({ length: count }, (_, index) => ({
    predictionId: String(index).padStart(5, '0'),
    timeMicros: index,
    label: index % 2,
    served: 0.5,
    replayed: index % 2 === 0 ? 0.2 : 0.9,
    ...fields(index),
  }));
}

describe('the report of a replay', () => {
  it('measures both on the same rows, and how much smaller the loss would have been', () => {
    const group = groupOf(rows(100), 'binary', rules);
    expect(group).toMatchObject({ rows: 100, blocks: 10 });
    expect(group.improvement.value).toBeCloseTo(0.25 - (0.04 + 0.01) / 2, 12);
    expect(group.replayed['auc']?.value).toBe(1);
    expect(group.served['brier']?.value).toBe(0.25);
  });

  it('says nothing about the difference while there are too few blocks', () => {
    expect(groupOf(rows(9), 'binary', rules).improvement).toMatchObject({ low: -Infinity, high: Infinity });
  });

  it('cuts numbers at their quartiles, and names what a request did not have', () => {
    const values = (index: number): number | undefined => (index < 40 ? undefined : index);
    const { groups } = groupsOf(rows(200), 'binary', rules, 'distance', ({ timeMicros }) => values(timeMicros));
    expect(groups.map(({ value, rows: count }) => [value, count])).toEqual(
      [
        ['(missing)', 40],
        ['79 – 119', 40],
        ['> 159', 40],
        ['≤ 79', 40],
        ['119 – 159', 40],
      ].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    );
  });

  it('leaves small groups out, and says how many', () => {
    const found = groupsOf(rows(95), 'regression', rules, 'origin', ({ timeMicros }) =>
      timeMicros < 60 ? 'ATL' : timeMicros < 92 ? 'ORD' : 'JFK',
    );
    expect(found.groups.map(({ value }) => value)).toEqual(['ATL', 'ORD']);
    expect(found.leftOut).toBe(1);
    expect(Object.keys(found.groups[0]?.replayed ?? {})).toEqual(['mae', 'rmse', 'calibration']);
  });
});

import { randomFrom } from '../../test/builders';
import { compareVersions, type ComparableRow } from './compare-versions';

function rows(count: number, shadows: boolean, version = 1): ComparableRow[] {
  const random = randomFrom(7);
  return Array.from({ length: count }, () => {
    const truth = random();
    return {
      label: random() < truth ? 1 : 0,
      version,
      output: truth,
      shadowVersions: shadows ? [2] : [],
      shadowOutputs: shadows ? [1 - truth] : [],
    };
  });
}

describe('comparing versions', () => {
  it('measures all on the rows that each of them scored', () => {
    const compared = compareVersions([...rows(200, true), ...rows(300, false)], 'binary', []);
    expect(compared.sameRows).toBe(true);
    expect(compared.versions.map(({ version, rows: count }) => [version, count])).toEqual([
      [1, 200],
      [2, 200],
    ]);
    const [first, second] = compared.versions;
    expect(first?.metrics['auc']?.low).toBeGreaterThan(second?.metrics['auc']?.high ?? 1);
  });

  it('measures each on its own rows, and says so, when they share too few', () => {
    const compared = compareVersions([...rows(200, false, 1), ...rows(100, false, 3)], 'binary', []);
    expect(compared.sameRows).toBe(false);
    expect(compared.versions.map(({ rows: count }) => count)).toEqual([200, 100]);
  });

  it('compares the versions that are asked for, and leaves out those that scored nothing', () => {
    const compared = compareVersions(rows(100, true), 'regression', [2, 9]);
    expect(compared.versions.map(({ version }) => version)).toEqual([2]);
    expect(Object.keys(compared.versions[0]?.metrics ?? {})).toEqual(['mae', 'rmse', 'calibration', 'mape', 'r2']);
  });
});

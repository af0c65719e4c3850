import { FEATURES, journeys, regressionProfileJson, type Case } from '../../test/builders';
import { canEstimate, estimateEvidence } from './estimate-evidence';
import type { ScoredRow } from './evidence';
import { performanceEvidence } from './performance-evidence';
import { readProfile } from './reference-profile';

const reference = journeys(1, 3_000, 0.2);
const profile = readProfile(regressionProfileJson(reference));
const rowsOf = (stream: readonly Case[]): ScoredRow[] =>
  stream.map((one) => ({ names: FEATURES, features: one.features, score: one.score }));

describe('the error of a regression before labels', () => {
  it('is estimated where the profile has a loss model and labelled scores', () => {
    expect(canEstimate(profile)).toBe(true);
    expect(canEstimate({ ...profile, lossTrees: undefined })).toBe(false);
    expect(canEstimate(readProfile(regressionProfileJson(reference.slice(0, 150))))).toBe(false);
  });

  it('lies with its band about what labels later say, of inputs as before and of others', () => {
    for (const stream of [journeys(2, 2_000, 0.2), journeys(3, 2_000, 0.8)]) {
      const estimated = estimateEvidence(rowsOf(stream), profile, undefined, 0.5).evidence;
      const measured = performanceEvidence(stream, profile, undefined, 0.5).evidence;
      expect(estimated.map((entry) => entry.statistic)).toEqual(['mae', 'rmse']);
      for (const { statistic, low = Infinity, high = -Infinity, reference: before } of estimated) {
        const truth = measured.find((entry) => entry.statistic === statistic);
        expect([statistic, low <= (truth?.value ?? NaN), (truth?.value ?? NaN) <= high]).toEqual([
          statistic,
          true,
          true,
        ]);
        expect(before).toBe(truth?.reference);
      }
    }
  });

  it('crosses by the inputs alone', () => {
    const tests = [{ statistic: 'mae' as const, worseByFactor: 1.5 }];
    const judge = (stream: readonly Case[]): boolean =>
      estimateEvidence(rowsOf(stream), profile, { tests, crossings: 1, rule: { k: 1, n: 1 } }, 0.5).crossed;
    expect(judge(journeys(2, 2_000, 0.2))).toBe(false);
    expect(judge(journeys(3, 2_000, 0.8))).toBe(true);
  });

  it('finds features by name, and takes those that were not served for missing', () => {
    const stream = journeys(3, 500, 0.8);
    const estimate = (rows: readonly ScoredRow[]) => estimateEvidence(rows, profile, undefined, 0.5).evidence[0]?.value;
    const turned = rowsOf(stream).map(({ names, features, score }) => ({
      names: [...names].reverse(),
      features: [...features].reverse(),
      score,
    }));
    expect(estimate(turned)).toBe(estimate(rowsOf(stream)));
    // The split of the trees sends a missing distance to those that err by 2.
    expect(estimate(rowsOf(stream).map((row) => ({ ...row, names: [], features: [] })))).toBe(2);
  });

  it('is refused with a tree that leads nowhere', () => {
    const json = JSON.parse(regressionProfileJson(reference)) as { loss_model: { absolute: { left: number[] }[] } };
    json.loss_model.absolute = json.loss_model.absolute.map((tree) => ({ ...tree, left: [0, 0, 0] }));
    expect(() => readProfile(JSON.stringify(json))).toThrow(/the child 0 of node 0/);
  });
});

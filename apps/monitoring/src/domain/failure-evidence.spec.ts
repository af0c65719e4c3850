import { randomFrom } from '../../test/builders';
import { failureEvidence, logFactorial } from './failure-evidence';

const rules = { minimum: 5, tolerance: 0.01 };
const ALPHA = 0.05;
const sound = { asked: 100, failed: 0 };

describe('failures of a candidate', () => {
  it('are decided by the first few when every request fails', () => {
    expect(failureEvidence({ asked: 4, failed: 4 }, sound, rules, ALPHA).worse).toBe(false);
    expect(failureEvidence({ asked: 5, failed: 5 }, sound, rules, ALPHA).worse).toBe(true);
  });

  it('are forgiven when the champion fails as often', () => {
    expect(failureEvidence({ asked: 100, failed: 30 }, { asked: 100, failed: 30 }, rules, ALPHA).worse).toBe(false);
    expect(failureEvidence({ asked: 100, failed: 60 }, { asked: 100, failed: 30 }, rules, ALPHA).worse).toBe(true);
  });

  it('within the tolerance are none, without a request there is no evidence', () => {
    expect(failureEvidence({ asked: 10_000, failed: 100 }, { asked: 10_000, failed: 0 }, rules, ALPHA).worse).toBe(
      false,
    );
    expect(failureEvidence({ asked: 0, failed: 0 }, { asked: 0, failed: 0 }, rules, ALPHA)).toMatchObject({
      worse: false,
      eValue: 1,
    });
  });

  it('accuse an innocent candidate in at most α of all rollouts, though looked at after every request', () => {
    const random = randomFrom(11);
    const champion = { asked: 5_000, failed: 200 };
    const share = (200 + 1) / 5_002 + rules.tolerance;
    let accused = 0;
    for (let trial = 0; trial < 1_000; trial += 1) {
      let failed = 0;
      for (let asked = 1; asked <= 400; asked += 1) {
        if (random() < share) failed += 1;
        if (failureEvidence({ asked, failed }, champion, rules, ALPHA).worse) {
          accused += 1;
          break;
        }
      }
    }
    expect(accused / 1_000).toBeLessThanOrEqual(ALPHA);
  });

  it('are counted exactly: e-value by hand', () => {
    // p₀ = 1/102 + 0.01; uniform mixture of 5 of 5: 1/6.
    const p0 = 1 / 102 + 0.01;
    const { eValue, tolerated } = failureEvidence({ asked: 5, failed: 5 }, sound, rules, ALPHA);
    expect(tolerated).toBeCloseTo(p0, 12);
    expect(eValue / (1 / 6 / p0 ** 5)).toBeCloseTo(1, 9);
  });

  it('rest on factorials that are right on both sides of the series', () => {
    const direct = (n: number): number =>
      Array.from({ length: n }, (_, i) => Math.log(i + 1)).reduce((a, b) => a + b, 0);
    for (const n of [0, 1, 5, 31, 32, 100, 10_000]) expect(Math.abs(logFactorial(n) - direct(n))).toBeLessThan(1e-7);
  });
});

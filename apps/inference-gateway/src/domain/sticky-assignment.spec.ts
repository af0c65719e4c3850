import { assign, standingOf } from './sticky-assignment';

type Choice = { readonly name: string; readonly weight: number };
const at = (percent: number): [Choice, Choice] => [
  { name: 'champion', weight: 100 - percent },
  { name: 'candidate', weight: percent },
];
const UNITS = Array.from({ length: 20_000 }, (_, index) => `customer-${index}`);
const sideOf = (unit: string, percent: number, salt = 'rollout-1'): string =>
  assign(standingOf(unit, salt), at(percent)).name;
const candidates = (percent: number, salt?: string): Set<string> =>
  new Set(UNITS.filter((unit) => sideOf(unit, percent, salt) === 'candidate'));

/** Four standard deviations of a binomial count. */
const bound = (count: number, share: number): number => 4 * Math.sqrt(count * share * (1 - share));

describe('sticky assignment', () => {
  it.each([1, 5, 20, 50, 80, 99])('gives the candidate %i %% of the units, within the binomial bound', (percent) => {
    const share = percent / 100;
    const expected = UNITS.length * share;
    for (const salt of ['rollout-1', 'rollout-2', '7c0ffee0-0000-4000-8000-000000000000']) {
      expect(Math.abs(candidates(percent, salt).size - expected)).toBeLessThanOrEqual(bound(UNITS.length, share));
    }
  });

  it('is spread alike over every part of the units', () => {
    const chunks = Array.from({ length: 20 }, (_, chunk) => UNITS.slice(chunk * 1_000, (chunk + 1) * 1_000));
    for (const chunk of chunks) {
      const found = chunk.filter((unit) => sideOf(unit, 20) === 'candidate').length;
      expect(Math.abs(found - 200)).toBeLessThanOrEqual(bound(1_000, 0.2));
    }
  });

  it('keeps a unit with its version, whoever asks and however often', () => {
    for (const unit of UNITS.slice(0, 100)) {
      expect(new Set(Array.from({ length: 5 }, () => sideOf(unit, 37))).size).toBe(1);
    }
    // Every gateway, of every release, must agree.
    expect(standingOf('customer-1', 'rollout-1')).toBe(0.4696037736721337);
  });

  it('moves only the share that was added when weights move', () => {
    for (const [before, after] of [
      [10, 20],
      [20, 50],
      [50, 100],
    ] as const) {
      const [smaller, larger] = [candidates(before), candidates(after)];
      expect([...smaller].every((unit) => larger.has(unit))).toBe(true);
      const moved = larger.size - smaller.size;
      const share = (after - before) / 100;
      expect(Math.abs(moved - UNITS.length * share)).toBeLessThanOrEqual(bound(UNITS.length, share));
    }
  });

  it('chooses other units in another rollout', () => {
    const elsewhere = candidates(20, 'rollout-2');
    const both = [...candidates(20)].filter((unit) => elsewhere.has(unit)).length;
    expect(Math.abs(both - UNITS.length * 0.04)).toBeLessThanOrEqual(bound(UNITS.length, 0.04));
  });

  it('knows the ends: 0 and 100 %', () => {
    expect(candidates(0).size).toBe(0);
    expect(candidates(100).size).toBe(UNITS.length);
  });
});

import { MICROS } from '@headrace/event-time';
import { cases, FEATURES, profileOf, relatedCases, relatedProfileJson, type Case } from '../../test/builders';
import { columnsOf, driftOf, windowOf } from '../../test/windows';
import type { Cadence } from './calibration';
import { driftEvidence, isUnjudged, type DriftRules, type Evidence, type ScoredRow } from './evidence';
import { ReconstructionErrors, reconstructionEvidence } from './reconstruction';
import { readProfile } from './reference-profile';

const PER_DAY = 240;
const cadence: Cadence = { windowMicros: MICROS.d, minimumSample: 100 };
const reference = relatedCases({ seed: 1, days: 20, perDay: PER_DAY });
const profile = readProfile(relatedProfileJson(reference, 6 * MICROS.h));
const test = { subject: 'features', statistic: 'reconstruction_error' as const };
const rulesOf = (...tests: DriftRules['tests']): DriftRules => ({ tests, crossings: 1, rule: { k: 1, n: 1 } });
const rowsOf = (stream: readonly Case[]): ScoredRow[] =>
  stream.map((one) => ({ names: FEATURES, features: one.features, score: one.score }));
const dayOf = (seed: number, turned = false): ScoredRow[] =>
  rowsOf(relatedCases({ seed, days: 1, perDay: PER_DAY, ...(turned ? { turnFromDay: 0 } : {}) }));
const ofTogether = (evidence: readonly Evidence[]) => evidence.filter(({ subject }) => subject === 'features');
const judge = (rows: readonly ScoredRow[], more: object = {}, over = cadence, against = profile) =>
  driftOf(rows, against, rulesOf({ ...test, ...more }), over);

describe('drift of all features together', () => {
  it('crosses when features no longer go together, though each looks as before', () => {
    const singles = ['prediction', ...FEATURES].flatMap((subject) => [
      { subject, statistic: 'ks_p' as const, threshold: 0.01 },
      { subject, statistic: 'psi' as const, threshold: 0.25 },
    ]);
    const rules = rulesOf(...singles, test);
    const crossed = (rows: readonly ScoredRow[]) =>
      driftOf(rows, profile, rules, cadence)
        .evidence.filter((entry) => entry.crossed)
        .map(({ subject, statistic }) => `${subject} ${statistic}`);
    expect(crossed(dayOf(2))).toEqual([]);
    expect(crossed(dayOf(2, true))).toEqual(['features reconstruction_error']);
  });

  it('crosses at three standard deviations of the own windows, both ways, and shows the error itself', () => {
    const [distance, error] = ofTogether(judge(dayOf(2, true)).evidence);
    expect(distance).toMatchObject({
      threshold: 3,
      reference: 0,
      crossed: true,
      falseAlarms: expect.any(Number) as number,
    });
    expect(distance?.value).toBeGreaterThan(10);
    expect(error).toMatchObject({ statistic: 'mean_reconstruction_error', threshold: 0, crossed: false });
    expect(error?.value).toBeGreaterThan(2 * (error?.reference ?? Infinity));
    expect([(error?.low ?? 9) < (error?.value ?? 0), (error?.high ?? 0) > (error?.value ?? 9)]).toEqual([true, true]);

    const exact = dayOf(3).map((row) => ({ ...row, features: [row.features[0] ?? 0, (row.features[0] ?? 0) / 1_000] }));
    const [closer, smaller] = ofTogether(judge(exact).evidence);
    expect(smaller?.value).toBeLessThan((smaller?.reference ?? 0) / 2);
    expect(closer).toMatchObject({ crossed: true });
  });

  it('seldom crosses without a change, and by false alarms as often as declared', () => {
    let [byDefault, declared] = [0, 0];
    for (let one = 0; one < 10; one += 1) {
      const trained = relatedCases({ seed: 50 + one, days: 20, perDay: PER_DAY });
      const against = readProfile(relatedProfileJson(trained)).reconstruction;
      if (!against) throw new Error('the profile has no reconstruction');
      for (let day = 0; day < 20; day += 1) {
        const errors = new ReconstructionErrors(against);
        errors.add(columnsOf(dayOf(1_000 + 20 * one + day)));
        if (reconstructionEvidence(errors, against, {}, cadence)[0]?.crossed) byDefault += 1;
        if (reconstructionEvidence(errors, against, { falseAlarms: 0.2 }, cadence)[0]?.crossed) declared += 1;
      }
    }
    // Of 200 windows: two or three beyond three standard deviations of 20 windows, 40 by declaration.
    expect(byDefault).toBeLessThanOrEqual(8);
    expect([declared >= 20, declared <= 60]).toEqual([true, true]);
  });

  it('takes its threshold from false alarms where the own windows allow it, or the declared number', () => {
    const of = (more: object) => ofTogether(judge(dayOf(2), more).evidence)[0];
    expect(of({ threshold: 5 })).toMatchObject({ threshold: 5, falseAlarms: 1 / 21 });
    expect(of({ falseAlarms: 0.1 })?.threshold).toBeLessThan(5);
    expect(of({ falseAlarms: 0.001 })).toMatchObject({ threshold: Infinity, crossed: false });
    expect(of({ falseAlarms: 0.001, threshold: 4 })).toMatchObject({ threshold: 4 });
  });

  it('is the same of a window read in parts, and of features in another order or missing', () => {
    const rules = rulesOf(test);
    const rows = dayOf(2).map((row, index) =>
      index % 9 ? row : { ...row, features: [row.features[0] ?? 0, Infinity] },
    );
    const [first, second] = [windowOf([], profile, rules), windowOf([], profile, rules)];
    first.add(columnsOf(rows.slice(0, 50)));
    const turned = rows
      .slice(50)
      .map((row) => ({ ...row, names: [...FEATURES].reverse(), features: [...row.features].reverse() }));
    second.add(columnsOf(turned, 50));
    first.merge(second);
    const [whole, parts] = [driftOf(rows, profile, rules, cadence), driftEvidence(first, profile, rules, cadence)];
    const values = [whole, parts].map(({ evidence }) => ofTogether(evidence).map(({ value }) => value));
    for (const [index, value] of (values[0] ?? []).entries()) expect(values[1]?.[index]).toBeCloseTo(value, 9);
    expect(values[0]).toHaveLength(2);
    expect(values[0]?.every(Number.isFinite)).toBe(true);
  });
});

describe('a test of all features together that cannot be judged', () => {
  const older = profileOf(cases({ seed: 1, days: 5, perDay: PER_DAY }));

  it('says so, crosses nothing, and leaves a window without other tests unjudged', () => {
    const alone = judge(dayOf(2, true), {}, cadence, older);
    expect(ofTogether(alone.evidence)).toEqual([
      expect.objectContaining({
        crossed: false,
        notJudged: expect.stringContaining('the profile of the version') as string,
      }),
    ]);
    expect([alone.crossed, alone.falseAlarms, isUnjudged(alone.evidence)]).toEqual([false, undefined, true]);
    const psi = { subject: 'prediction', statistic: 'psi' as const, threshold: 0.25 };
    const beside = driftOf(dayOf(2, true), older, rulesOf(psi, test), cadence);
    expect([beside.crossed, isUnjudged(beside.evidence)]).toEqual([false, false]);
  });

  it('says which windows the training lacks', () => {
    const [few] = ofTogether(judge(dayOf(2), {}, { ...cadence, windowMicros: 7 * MICROS.d }).evidence);
    expect(few?.notJudged).toContain('the training has 4 windows as long');
    const [none] = ofTogether(judge(dayOf(2), {}, { ...cadence, windowMicros: MICROS.h }).evidence);
    expect(none?.notJudged).toContain('the training has 0 windows');
  });

  it('is not declared: nothing is computed or reported', () => {
    expect(ofTogether(driftOf(dayOf(2), profile, undefined, cadence).evidence)).toEqual([]);
    expect(windowOf(dayOf(2), profile, undefined).together).toBeUndefined();
  });
});

describe('a profile of features together', () => {
  const written = JSON.parse(relatedProfileJson(reference)) as { reconstruction: Record<string, unknown[]> };
  const reading = (change: Record<string, unknown>) => () =>
    readProfile(JSON.stringify({ ...written, reconstruction: { ...written.reconstruction, ...change } }));

  it('is refused where its numbers do not fit each other', () => {
    expect(reading({})).not.toThrow();
    expect(reading({ means: [1] })).toThrow('1 numbers of 2 features');
    expect(reading({ deviations: [1, 0] })).toThrow('deviations');
    expect(reading({ components: [[1, 2, 3]] })).toThrow('fewer than 2 components of 2 numbers');
    expect(reading({ window_errors: [1] })).toThrow('one for each of the 20 windows');
    const names = Array.from({ length: 201 }, (_, index) => `f${index}`);
    expect(reading({ features: names })).toThrow('features');
  });
});

import { kinds } from '@headrace/definitions';
import { randomFrom } from '../../test/builders';
import { conceptEvidence, type ConceptRules, type DetectorState } from './concept-evidence';
import type { LabelledRow } from './performance-evidence';

function rulesOf(detectors: readonly object[], crossings = 1): ConceptRules {
  const { spec } = kinds.Monitor.parse({
    apiVersion: 'headrace.dev/v1',
    kind: 'Monitor',
    metadata: { name: 'm' },
    spec: { endpoint: 'e', label: { stream: 's', expression: 'record.late' }, concept: { detectors, crossings } },
  });
  if (!spec.concept) throw new Error('concept was declared');
  return spec.concept;
}

/** Answers that are wrong with a probability; scores are sure of themselves. */
function answers(count: number, wrong: number, seed: number): LabelledRow[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => {
    const score = random() < 0.5 ? 0.9 : 0.1;
    return { score, label: score > 0.5 === random() >= wrong ? 1 : 0 };
  });
}

const ALL = [
  { detector: 'ddm' },
  { detector: 'eddm' },
  { detector: 'adwin' },
  { detector: 'page_hinkley' },
  { detector: 'kswin' },
];
const NOTHING: ReadonlyMap<string, DetectorState> = new Map();

describe('detectors on the errors of a window', () => {
  it('find errors that become many', () => {
    const rules = rulesOf(ALL);
    const before = conceptEvidence(answers(1_500, 0.1, 1), NOTHING, rules, 'binary', 0.5);
    const after = conceptEvidence(answers(1_500, 0.4, 2), before.states, rules, 'binary', 0.5);
    const found = after.evidence.filter((entry) => entry.crossed).map((entry) => entry.statistic);
    expect(found).toEqual(expect.arrayContaining(['ddm', 'adwin', 'page_hinkley', 'kswin']));
    expect(after.crossed).toBe(true);
    expect(before.evidence.find((entry) => entry.statistic === 'page_hinkley')?.value).toBe(0);
  });

  it('are one stream over all windows: cutting it elsewhere changes nothing', () => {
    const rules = rulesOf(ALL);
    const stream = [...answers(700, 0.1, 3), ...answers(700, 0.3, 4)];
    const countsOf = (cuts: readonly number[]) => {
      let states = NOTHING;
      const totals = new Map<string, number>();
      for (const [index, from] of cuts.entries()) {
        // As they are kept: through JSON.
        const kept = new Map(
          [...states].map(([name, state]) => [name, JSON.parse(JSON.stringify(state)) as DetectorState]),
        );
        const { evidence, states: next } = conceptEvidence(
          stream.slice(from, cuts[index + 1]),
          kept,
          rules,
          'binary',
          0.5,
        );
        for (const { statistic, threshold, value } of evidence)
          if (threshold === 1) totals.set(statistic, (totals.get(statistic) ?? 0) + value);
        states = next;
      }
      return [...totals];
    };
    expect(countsOf([0, 333, 720, 1_100])).toEqual(countsOf([0]));
  });

  it('cross when as many agree as are wanted', () => {
    const rules = rulesOf([{ detector: 'ddm' }, { detector: 'page_hinkley', threshold: 1_000_000 }], 2);
    const { states } = conceptEvidence(answers(1_500, 0.1, 1), NOTHING, rules, 'binary', 0.5);
    const after = conceptEvidence(answers(1_500, 0.5, 2), states, rules, 'binary', 0.5);
    expect(after.evidence.filter((entry) => entry.crossed)).toHaveLength(1);
    expect(after.crossed).toBe(false);
  });

  it('of a regression are those that see any values; the others say nothing', () => {
    const rules = rulesOf(ALL);
    const random = randomFrom(5);
    const rows = (spread: number) =>
      Array.from({ length: 800 }, () => ({ score: 10, label: 10 + spread * (random() - 0.5) }));
    const { states } = conceptEvidence(rows(1), NOTHING, rules, 'regression', 0.5);
    const after = conceptEvidence(rows(9), states, rules, 'regression', 0.5);
    const valueOf = (name: string) => after.evidence.find((entry) => entry.statistic === name)?.value;
    expect([valueOf('ddm'), valueOf('eddm'), valueOf('adwin')]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect(valueOf('page_hinkley')).toBeGreaterThan(0);
    expect(valueOf('kswin')).toBeGreaterThan(0);
    expect(valueOf('mean')).toBeCloseTo(9 / 4, 0);
  });
});

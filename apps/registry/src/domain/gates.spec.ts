import type { Estimate } from '@headrace/contracts/proto/common/v1/common';
import { aModelTrained } from '../../test/builders';
import {
  allPassed,
  criterionOf,
  evaluateGates,
  evaluateReplay,
  measurementsOf,
  waitingFor,
  waive,
  type Gate,
} from './gates';

const gate = (fields: Partial<Gate> = {}): Gate => ({
  name: 'good_enough',
  metric: 'auc',
  min: 0.7,
  bound: 'value',
  passWhenAbsent: false,
  ...fields,
});
const measured = (metric: string, value: number, low = value, high = value): Map<string, Estimate> =>
  new Map([[metric, { value, low, high }]]);
const evaluate = (tested: Gate, measurements: Map<string, Estimate>) => {
  const [evaluation] = evaluateGates([tested], measurements);
  if (!evaluation) throw new Error('no evaluation');
  return evaluation;
};

describe('a gate', () => {
  it.each([
    [0.71, true],
    [0.7, true],
    [0.69999, false],
    [Number.NaN, false],
    [Infinity, false],
  ])('with a least value of 0.7 and %d measured: passed is %s', (value, passed) => {
    expect(evaluate(gate(), measured('auc', value)).passed).toBe(passed);
  });

  it('with a largest value refuses more', () => {
    const tested: Gate = { name: 'small', metric: 'model_size_bytes', max: 100, bound: 'value', passWhenAbsent: false };
    expect(evaluate(tested, measured('model_size_bytes', 100)).passed).toBe(true);
    expect(evaluate(tested, measured('model_size_bytes', 101))).toMatchObject({
      passed: false,
      message: 'model_size_bytes 101: at most 100 is allowed',
    });
  });

  it('with both ends refuses what lies outside', () => {
    const tested = gate({ min: 0.7, max: 0.95 });
    expect([0.69, 0.7, 0.95, 0.96].map((value) => evaluate(tested, measured('auc', value)).passed)).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it('compares the end of the interval that it names', () => {
    const estimate = measured('auc', 0.72, 0.68, 0.76);
    expect(evaluate(gate(), estimate)).toMatchObject({ passed: true, measured: 0.72 });
    expect(evaluate(gate({ bound: 'low' }), estimate)).toMatchObject({
      passed: false,
      measured: 0.68,
      criterion: 'lower bound of auc >= 0.7',
      message: 'auc 0.72 (0.68 to 0.76): lower bound of at least 0.7 is needed',
    });
    expect(evaluate(gate({ bound: 'high' }), estimate)).toMatchObject({ passed: true, measured: 0.76 });
  });

  it('fails with a clear message when its metric is absent', () => {
    expect(evaluate(gate({ metric: 'improvement' }), new Map())).toEqual({
      name: 'good_enough',
      criterion: 'improvement >= 0.7',
      measured: undefined,
      passed: false,
      waived: false,
      message: 'improvement is absent: training did not report it',
    });
  });

  it('passes without its metric when it says so', () => {
    expect(evaluate(gate({ metric: 'improvement', passWhenAbsent: true }), new Map())).toMatchObject({ passed: true });
  });

  it('that passes when absent still refuses what is there and bad', () => {
    expect(evaluate(gate({ passWhenAbsent: true }), measured('auc', 0.5)).passed).toBe(false);
  });

  it('says its criterion in words', () => {
    expect(criterionOf(gate())).toBe('auc >= 0.7');
    expect(criterionOf(gate({ min: 0.1, max: 0.2, bound: 'high' }))).toBe('0.1 <= upper bound of auc <= 0.2');
  });
});

describe('what gates can measure', () => {
  it('is every metric of the training, the improvement, size, parity and rows', () => {
    const found = measurementsOf(aModelTrained({ improvement: { value: 0.01, low: 0.005, high: 0.015 } }));
    expect([...found.keys()].sort()).toEqual(
      ['auc', 'brier', 'improvement', 'model_size_bytes', 'parity', 'training_rows', 'validation_rows'].sort(),
    );
    expect(found.get('model_size_bytes')).toEqual({ value: 1_000, low: 1_000, high: 1_000 });
  });

  it('lacks the improvement when there was no champion', () => {
    expect(measurementsOf(aModelTrained({ improvement: undefined })).has('improvement')).toBe(false);
  });
});

describe('all gates together', () => {
  const passed = evaluate(gate(), measured('auc', 0.8));
  const failed = evaluate(gate({ name: 'better' }), measured('auc', 0.6));

  it('pass when each one does; without gates every version passes', () => {
    expect(allPassed([])).toBe(true);
    expect(allPassed([passed])).toBe(true);
    expect(allPassed([passed, failed])).toBe(false);
  });

  it('pass by a waiver, which covers the failed ones only', () => {
    const { evaluations, waived } = waive([passed, failed]);
    expect(waived).toEqual(['better']);
    expect(allPassed(evaluations)).toBe(true);
    expect(evaluations[0]?.waived).toBe(false);
    expect(evaluations[1]).toMatchObject({ passed: false, waived: true });
  });

  it('have nothing to waive when none failed, or all failed ones were waived', () => {
    expect(waive([passed]).waived).toEqual([]);
    expect(waive(waive([failed]).evaluations).waived).toEqual([]);
  });
});

describe('a gate that asks for a replay', () => {
  const replay = { endpoint: 'e', since: '7d', minimumRows: 300, wait: '1h', whenInconclusive: 'fail' } as const;
  const improves: Gate = { name: 'improves', metric: 'auc', min: 0, bound: 'low', passWhenAbsent: false, replay };
  const both = [gate(), improves];

  it('waits when all others passed, and is no measurement of training', () => {
    const found = evaluateGates(both, measured('auc', 0.8));
    expect(found.map(({ passed }) => passed)).toEqual([true, false]);
    expect(found[1]?.measured).toBeUndefined();
    expect(waitingFor(both, found)).toEqual([improves]);
    expect(waitingFor([improves], evaluateGates([improves], new Map()))).toEqual([improves]);
  });

  it('waits for nothing when the version is refused anyway', () => {
    const found = evaluateGates(both, measured('auc', 0.6));
    expect(waitingFor(both, found)).toEqual([]);
    expect(found[1]?.message).toBe('not replayed: another gate failed');
  });

  it('is judged like any other by its estimate, and as declared without one', () => {
    const estimate = { value: 0.01, low: -0.01, high: 0.03 };
    expect(evaluateReplay(improves, estimate, '')).toMatchObject({ passed: false, measured: -0.01 });
    expect(evaluateReplay({ ...improves, bound: 'high' }, estimate, '')).toMatchObject({ passed: true });
    expect(evaluateReplay(improves, undefined, 'no labels')).toMatchObject({
      passed: false,
      message: 'inconclusive: no labels',
    });
    const lenient: Gate = { ...improves, replay: { ...replay, whenInconclusive: 'pass' } };
    expect(evaluateReplay(lenient, undefined, 'no labels')).toMatchObject({
      passed: true,
      message: 'inconclusive: no labels; the gate lets that pass',
    });
  });
});

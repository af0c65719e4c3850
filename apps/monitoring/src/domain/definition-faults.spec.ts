import { kinds } from '@headrace/definitions';
import { faultsOf } from './definition-faults';

function monitor(spec: object) {
  return kinds.Monitor.parse({
    apiVersion: 'headrace.dev/v1',
    kind: 'Monitor',
    metadata: { name: 'm' },
    spec: { endpoint: 'e', label: { stream: 's', expression: 'record.late' }, ...spec },
  });
}

describe('a Monitor', () => {
  const drift = { tests: [{ subject: 'prediction', statistic: 'psi', threshold: 0.25 }] };

  it('may retrain on signals that it computes', () => {
    expect(faultsOf(monitor({ drift, retraining: { plan: 'p', on: ['drift'] } }))).toEqual([]);
  });

  it('may not retrain on a signal that it never computes', () => {
    expect(faultsOf(monitor({ drift, retraining: { plan: 'p', on: ['drift', 'performance'] } }))).toEqual([
      'spec.retraining.on: performance is wanted, yet spec.performance is not there',
    ]);
  });

  it('may not ask for more crossings than it has tests', () => {
    expect(faultsOf(monitor({ drift: { ...drift, crossings: 2 } }))).toEqual([
      'spec.drift.crossings: found 2, at most 1, the number of tests',
    ]);
  });

  it('may have metrics with tests only beside those of performance', () => {
    const metrics = [
      { name: 'far', expression: 'features.distance > 1.0', aggregate: 'count' },
      { name: 'cost', expression: 'label * 5.0', aggregate: 'sum', test: { above: 9 } },
    ];
    expect(faultsOf(monitor({ metrics }))).toEqual([
      'spec.metrics.1.test: crosses beside the tests of spec.performance, which is not there',
    ]);
    const performance = { tests: [{ statistic: 'brier', worseBy: 0.1 }], crossings: 2 };
    expect(faultsOf(monitor({ metrics, performance }))).toEqual([]);
    expect(faultsOf(monitor({ metrics, performance: { ...performance, crossings: 3 } }))).toEqual([
      'spec.performance.crossings: found 3, at most 2, the number of tests',
    ]);
  });

  it('may not want more windows of its reference than it declares', () => {
    const reference = { kind: 'moving', windows: 7, atLeast: 9 };
    expect(faultsOf(monitor({ drift: { ...drift, reference } }))).toEqual([
      'spec.drift.reference.atLeast: found 9, at most 7, the number of windows',
    ]);
    expect(faultsOf(monitor({ drift: { ...drift, reference: { ...reference, atLeast: 7 } } }))).toEqual([]);
  });

  it.each(['2d', '5h'])('may not be compared with the same weekday in windows of %s', (window) => {
    const reference = { kind: 'same-weekday', weeks: 4 };
    expect(faultsOf(monitor({ window, drift: { ...drift, reference } }))).toEqual([
      `spec.window: found ${window}; for the reference same-weekday at most 1d, and a whole number of windows a week`,
    ]);
    expect(faultsOf(monitor({ window: '6h', drift: { ...drift, reference } }))).toEqual([]);
  });

  describe('with windows by count', () => {
    const window = { predictions: 500 };
    const byFalseAlarms = { tests: [{ subject: 'prediction', statistic: 'psi', falseAlarms: 0.05 }] };

    it('may have windows that are judged', () => {
      expect(faultsOf(monitor({ window, drift }))).toEqual([]);
      expect(faultsOf(monitor({ window: { predictions: 100 }, drift }))).toEqual([
        'spec.minimumSample: found 200, at most 100, the predictions of a window: else none is ever judged',
      ]);
    });

    it('may not be compared with the same weekday', () => {
      const reference = { kind: 'same-weekday', weeks: 4 };
      expect(faultsOf(monitor({ window, drift: { ...drift, reference } }))).toEqual([
        'spec.window: found windows by count; for the reference same-weekday at most 1d, and a whole number of windows a week',
      ]);
    });

    it('may not test all features together, for which the training has no such windows', () => {
      const tests = [...drift.tests, { subject: 'features', statistic: 'reconstruction_error' }];
      expect(faultsOf(monitor({ window, drift: { tests } }))).toEqual([
        expect.stringMatching(/^spec\.drift\.tests\.1\.statistic: reconstruction_error .* not of 500 predictions$/),
      ]);
    });

    it('may take thresholds by false alarms from windows by count alone', () => {
      expect(faultsOf(monitor({ window, drift: byFalseAlarms }))).toEqual([
        expect.stringMatching(
          /^spec\.drift\.tests\.0\.falseAlarms: .*name a threshold, or take spec\.drift\.reference/,
        ),
      ]);
      const reference = { kind: 'moving', windows: 20 };
      expect(faultsOf(monitor({ window, drift: { ...byFalseAlarms, reference } }))).toEqual([]);
    });
  });
});

import { kinds } from './kinds';
import { taskFaults } from './task-faults';

function faultsOf(task: 'binary' | 'regression', rules: object): [string, string][] {
  const monitor = kinds.Monitor.parse({
    apiVersion: 'headrace.dev/v1',
    kind: 'Monitor',
    metadata: { name: 'm' },
    spec: { endpoint: 'e', label: { stream: 's', expression: 'record.late' }, ...rules },
  });
  return taskFaults(monitor, { name: 'flights', task }).map(({ path, message }) => [path.join('.'), message]);
}
const performance = (...names: string[]): object => ({
  performance: { tests: names.map((statistic) => ({ statistic, worseBy: 0.1 })) },
});
const estimate = (...names: string[]): object => ({
  estimate: { tests: names.map((statistic) => ({ statistic, worseBy: 0.1 })) },
});
const concept = (...names: string[]): object => ({ concept: { detectors: names.map((detector) => ({ detector })) } });

describe('tests of a Monitor', () => {
  it('name measures that models of the task have', () => {
    expect(faultsOf('binary', { ...performance('auc', 'brier', 'calibration'), ...estimate('auc', 'f1') })).toEqual([]);
    expect(faultsOf('regression', { ...performance('mae', 'r2', 'calibration'), ...estimate('mae', 'rmse') })).toEqual(
      [],
    );
  });

  it('are refused for a measure of the other task, each by its field', () => {
    expect(faultsOf('binary', performance('auc', 'mae'))).toEqual([
      [
        'spec.performance.tests.1.statistic',
        expect.stringMatching(/^mae is not for a binary model, as flights is: expected one of brier, log_loss, auc/),
      ],
    ]);
    expect(
      faultsOf('regression', { ...performance('auc'), ...estimate('auc', 'mae') }).map(([field]) => field),
    ).toEqual(['spec.performance.tests.0.statistic', 'spec.estimate.tests.0.statistic']);
    expect(faultsOf('binary', estimate('rmse'))).toEqual([
      ['spec.estimate.tests.0.statistic', expect.stringContaining('expected one of accuracy, precision')],
    ]);
  });

  it('may not rest on detectors that see nothing in the errors of a regression', () => {
    expect(faultsOf('binary', concept('ddm', 'kswin'))).toEqual([]);
    expect(faultsOf('regression', concept('page_hinkley', 'ddm'))).toEqual([
      ['spec.concept.detectors.1.detector', expect.stringContaining('expected one of page_hinkley, kswin')],
    ]);
  });
});

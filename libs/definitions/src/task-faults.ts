// What only models of one task have: a Monitor that asks it of the other would wait for ever.
import type { Model, Monitor } from './kinds';

type Task = Model['spec']['task'];

export interface FieldFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

const MEASURES: Readonly<Record<'performance' | 'estimate', Readonly<Record<Task, readonly string[]>>>> = {
  performance: {
    binary: ['brier', 'log_loss', 'auc', 'calibration', 'ece', 'accuracy', 'precision', 'recall', 'specificity', 'f1'],
    regression: ['mae', 'rmse', 'calibration', 'mape', 'r2'],
  },
  estimate: {
    binary: ['accuracy', 'precision', 'recall', 'specificity', 'f1', 'auc'],
    regression: ['mae', 'rmse'],
  },
};

/** Those that see 0 and 1, or values up to 1, see nothing in a regression's errors. */
const DETECTORS: Readonly<Record<Task, readonly string[]>> = {
  binary: ['ddm', 'eddm', 'adwin', 'page_hinkley', 'kswin'],
  regression: ['page_hinkley', 'kswin'],
};

/** Tests and detectors of a Monitor that say nothing about models of the task, by the field that names them. */
export function taskFaults(
  { spec }: Monitor,
  { name, task }: { readonly name: string; readonly task: Task },
): FieldFault[] {
  const refused = (path: FieldFault['path'], found: string, expected: readonly string[]): FieldFault[] => {
    if (expected.includes(found)) return [];
    const message = `${found} is not for a ${task} model, as ${name} is: expected one of ${expected.join(', ')}`;
    return [{ path: ['spec', ...path], message }];
  };
  const ofMeasures = (['performance', 'estimate'] as const).flatMap((kind) =>
    (spec[kind]?.tests ?? []).flatMap(({ statistic }, index) =>
      refused([kind, 'tests', index, 'statistic'], statistic, MEASURES[kind][task]),
    ),
  );
  const ofDetectors = (spec.concept?.detectors ?? []).flatMap(({ detector }, index) =>
    refused(['concept', 'detectors', index, 'detector'], detector, DETECTORS[task]),
  );
  return [...ofMeasures, ...ofDetectors];
}

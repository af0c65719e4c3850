import { normals } from '../../test/golden';
import { Random } from '../numerics/random';
import { bootstrapInterval } from './intervals';
import { allMeasures } from './measures';

const pick = (values: readonly number[], rows: readonly number[]): number[] =>
  rows.map((row) => values[row] ?? Number.NaN);

describe('all measures', () => {
  const random = new Random(3);
  const scores = Array.from({ length: 600 }, () => random.next());
  const labels = scores.map((score) => (random.next() < score ** 2 ? 1 : 0));
  const truths = normals([5, 600, 20, 5, null]);
  const errors = normals([6, 600, 0.5, 2, null]);
  const predicted = truths.map((truth, row) => truth + (errors[row] ?? 0));

  it('of a binary model are ten, of a regression five', () => {
    expect(Object.keys(allMeasures('binary', labels, scores))).toEqual([
      'auc',
      'brier',
      'log_loss',
      'calibration',
      'accuracy',
      'precision',
      'recall',
      'specificity',
      'f1',
      'ece',
    ]);
    expect(Object.keys(allMeasures('regression', truths, predicted))).toEqual([
      'mae',
      'rmse',
      'calibration',
      'mape',
      'r2',
    ]);
  });

  it('take scores at the threshold as positive', () => {
    const at = (threshold: number) => allMeasures('binary', [1, 0, 1], [0.4, 0.3, 0.2], { threshold });
    expect(at(0.3)['precision']?.value).toBe(0.5);
    expect(at(0.3)['recall']?.value).toBe(0.5);
    expect(at(0.5)['recall']?.value).toBe(0);
  });

  it.each(['mape', 'r2'] as const)('have the interval that a bootstrap finds for %s', (name) => {
    const found = allMeasures('regression', truths, predicted)[name];
    const drawn = bootstrapInterval(
      600,
      (rows) => allMeasures('regression', pick(truths, rows), pick(predicted, rows))[name]?.value ?? Number.NaN,
      { replicates: 300 },
    );
    const width = (found?.high ?? 0) - (found?.low ?? 0);
    expect(width / (drawn.high - drawn.low)).toBeGreaterThan(0.8);
    expect(width / (drawn.high - drawn.low)).toBeLessThan(1.25);
  });

  it('have the interval that a bootstrap finds for the error of calibration of scores that are off', () => {
    const found = allMeasures('binary', labels, scores)['ece'];
    const drawn = bootstrapInterval(
      600,
      (rows) => allMeasures('binary', pick(labels, rows), pick(scores, rows))['ece']?.value ?? Number.NaN,
      { replicates: 300 },
    );
    const width = (found?.high ?? 0) - (found?.low ?? 0);
    expect(width / (drawn.high - drawn.low)).toBeGreaterThan(0.8);
    expect(width / (drawn.high - drawn.low)).toBeLessThan(1.3);
  });

  it('are not there without rows', () => {
    expect(allMeasures('binary', [], [])['brier']?.value).toBeNaN();
    expect(allMeasures('regression', [], [])['r2']?.value).toBeNaN();
  });
});

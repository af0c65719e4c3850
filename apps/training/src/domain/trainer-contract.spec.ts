import { anInterval as interval, aPlan, aTrainerResult, digestOf } from '../../test/builders';
import { improvementOf, readProgress, readTrainerResult, trainerSpec } from './trainer-contract';

const spec = trainerSpec({
  runId: 'run-1',
  plan: aPlan(),
  trainingSet: { path: '/artifacts/aa', digest: digestOf('a') },
  columns: [
    { name: 'distance', type: 'int' },
    { name: 'delay_3h', type: '' },
  ],
  shuffleLabels: false,
  champion: null,
  outputDirectory: '/work/run-1/out',
});

const read = (result: unknown) => readTrainerResult(JSON.stringify(result), spec);

describe('the specification for the trainer', () => {
  it('says what the plan says, with columns in the order of the training set', () => {
    expect(spec).toMatchObject({
      contract: 'headrace.dev/trainer/v1',
      columns: {
        features: [
          { name: 'distance', type: 'int' },
          { name: 'delay_3h', type: 'double' },
        ],
        label: 'label',
      },
      task: 'binary',
      split: { validation_fraction: 0.2 },
      algorithm: { name: 'lightgbm', params: { n_estimators: 20 } },
      seed: 7,
      refit: true,
      champion: null,
    });
  });
});

describe('the result of the trainer', () => {
  it('is read when it answers the specification', () => {
    expect(read(aTrainerResult())).toEqual({ kind: 'result', result: aTrainerResult() });
  });

  it('may hold more than is read', () => {
    expect(read({ ...aTrainerResult(), carbon: { grams: 1 } })).toMatchObject({ kind: 'result' });
  });

  it('is refused when it is no JSON', () => {
    expect(readTrainerResult('{', spec)).toMatchObject({ kind: 'invalid' });
  });

  it('is refused with the field that is wrong', () => {
    expect(read({ ...aTrainerResult(), rows: { train: -1, validation: 20, registered: 100 } })).toEqual({
      kind: 'invalid',
      message: expect.stringContaining('rows.train') as string,
    });
  });

  it.each([
    ['another run', { run_id: 'run-2' }, 'run_id: found run-2, asked for run-1'],
    ['other data', { training_set: { digest: digestOf('f') } }, 'training_set.digest'],
    ['the backtest alone', { refit: false }, 'refit: found false, asked for true'],
    ['labels shuffled against orders', { shuffle_labels: true }, 'shuffle_labels: found true, asked for false'],
    ['columns in another order', { features: ['delay_3h', 'distance'] }, 'features: found delay_3h, distance'],
  ])('is refused when it is of %s', (_what, fields, message) => {
    expect(read(aTrainerResult(fields))).toEqual({
      kind: 'invalid',
      message: expect.stringContaining(message) as string,
    });
  });

  it('gives the improvement on the champion whatever the loss is called', () => {
    const champion = { version: '1', metrics: {} };
    expect(improvementOf(aTrainerResult({ champion: { ...champion, brier_difference: interval } }))).toEqual(interval);
    expect(improvementOf(aTrainerResult({ champion: { ...champion, mse_difference: interval } }))).toEqual(interval);
    expect(improvementOf(aTrainerResult())).toBeUndefined();
  });
});

describe('a line of the trainer', () => {
  it('is progress when it has a step and a message', () => {
    expect(readProgress('{"step":"fit","message":"fitting","seconds":1}')).toEqual({ step: 'fit', message: 'fitting' });
  });

  it.each(['', 'Warning: something', '{"step":1}', '[]'])('is nothing when it is "%s"', (line) => {
    expect(readProgress(line)).toBeUndefined();
  });
});

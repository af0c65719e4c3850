import { aPlan } from '../../test/builders';
import { faultsOf } from './definition-faults';

const feature = (name: string) => ({ name, request: 'request.distance' });

describe('a training plan is refused', () => {
  it('not when all is well', () => {
    expect(faultsOf(aPlan())).toEqual([]);
  });

  it('when two features have one name', () => {
    expect(faultsOf(aPlan({ features: [feature('a'), feature('a')] }))).toEqual([
      'spec.features: two features are called "a"',
    ]);
  });

  it('when a feature is called like a column that every training set has', () => {
    expect(faultsOf(aPlan({ features: [feature('label')] }))).toEqual([
      'spec.features: "label" is a column of every training set; choose another name',
    ]);
  });

  it('when the algorithm is for another task', () => {
    expect(
      faultsOf(aPlan({ task: 'regression', trainer: { ...aPlan().spec.trainer, algorithm: 'logistic_regression' } })),
    ).toEqual(['spec.trainer.algorithm: logistic_regression is for binary, the task is regression']);
  });
});

import { kinds } from '@headrace/definitions';
import { faultsOf } from './definition-faults';

const head = (kind: string) => ({ apiVersion: 'headrace.dev/v1', kind, metadata: { name: 'lateness' } });
const gate = (name: string, min = 0, max = 1) => ({ name, metric: 'auc', min, max });
const model = (gates: object[]) => kinds.Model.parse({ ...head('Model'), spec: { task: 'binary', gates } });
const endpoint = (weights: number[]) =>
  kinds.Endpoint.parse({
    ...head('Endpoint'),
    spec: { model: 'lateness', joinKey: 'flight', rollout: { steps: weights.map((weight) => ({ weight })) } },
  });

describe('a definition is refused', () => {
  it('when two gates have one name', () => {
    expect(faultsOf(model([gate('a'), gate('b')]))).toEqual([]);
    expect(faultsOf(model([gate('a'), gate('a')]))).toEqual(['spec.gates: two gates are called "a"']);
  });

  it('when a gate can never pass', () => {
    expect(faultsOf(model([gate('a', 0.9, 0.7)]))).toEqual([
      'spec.gates: "a" can never pass, its min is above its max',
    ]);
  });

  it('when the weights of a rollout do not rise', () => {
    expect(faultsOf(endpoint([5, 20, 50]))).toEqual([]);
    expect(faultsOf(endpoint([20, 20]))).toEqual(['spec.rollout.steps: weights must rise, found 20, 20']);
  });
});

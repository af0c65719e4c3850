import { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import type { EndpointState } from '../src/domain/endpoint';
import type { RunningRollout } from '../src/domain/rollout';
import type { Stage } from '../src/domain/stages';

export const digestOf = (character: string): string => `sha256:${character.repeat(64)}`;

export function aModelTrained(fields: Partial<ModelTrained> = {}): ModelTrained {
  return ModelTrained.fromPartial({
    runId: 'run-1',
    plan: 'late-flights',
    planVersion: digestOf('1'),
    model: 'lateness',
    modelArtifact: { digest: digestOf('a'), sizeBytes: 1_000, name: 'model.onnx' },
    profileArtifact: { digest: digestOf('b'), sizeBytes: 500, name: 'profile.json' },
    resultArtifact: { digest: digestOf('c'), sizeBytes: 700, name: 'result.json' },
    signature: {
      task: 'binary',
      inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [-1, 2] }],
      features: [
        { name: 'distance', requestExpression: 'request.distance' },
        { name: 'delay_3h', view: 'origin-delays', feature: 'mean_3h', entity: 'origin' },
      ],
    },
    metrics: { auc: { value: 0.75, low: 0.74, high: 0.76 }, brier: { value: 0.15, low: 0.14, high: 0.16 } },
    datasets: [{ stream: 'departures', version: 2, manifestDigest: digestOf('d') }],
    trainingRows: 800,
    validationRows: 200,
    parityMaxAbsDifference: 1e-7,
    trigger: 'data-volume',
    ...fields,
  });
}

/** Steps of a canary without pauses. */
export function stagesOfWeights(weights: readonly number[]): Stage[] {
  return weights.map((weight) => ({ weight, ends: 'verdict', atLeastMicros: 0, confirm: false }));
}

export function aRollout(fields: Partial<RunningRollout> = {}): RunningRollout {
  return {
    rolloutId: 'rollout-1',
    candidate: 2,
    champion: 1,
    strategy: 'canary',
    stages: stagesOfWeights([20]),
    unit: '',
    step: 0,
    stepStartedAtMicros: 0,
    passed: false,
    confirmed: false,
    paused: false,
    byWaiver: false,
    startedAtMicros: 0,
    sinceGeneration: 2,
    ...fields,
  };
}

export function anEndpointState(fields: Partial<EndpointState> = {}): EndpointState {
  return { generation: 1, champion: 1, rollout: undefined, waiting: undefined, ...fields };
}

import type { TrainerResult } from '../src/domain/trainer-contract';
import { kinds, type FeatureView, type TrainingPlan } from '@headrace/definitions';

type PlanSpec = TrainingPlan['spec'];

export function aPlan(spec: Partial<PlanSpec> = {}, name = 'late-flights'): TrainingPlan {
  return kinds.TrainingPlan.parse({
    apiVersion: 'headrace.dev/v1',
    kind: 'TrainingPlan',
    metadata: { name },
    spec: {
      model: 'lateness',
      task: 'binary',
      spine: { stream: 'departures', entities: { origin: 'record.origin' } },
      label: { stream: 'arrivals', expression: 'record.delay > 15.0' },
      features: [
        { name: 'distance', request: 'request.distance' },
        { name: 'delay_3h', view: 'origin-delays', feature: 'mean_3h' },
      ],
      trainer: { algorithm: 'lightgbm', parameters: { n_estimators: 20 } },
      triggers: { initialSpineRows: 1_000 },
      ...spec,
    },
  });
}

export function aView(name = 'origin-delays', source = 'arrivals', entity = 'origin'): FeatureView {
  return kinds.FeatureView.parse({
    apiVersion: 'headrace.dev/v1',
    kind: 'FeatureView',
    metadata: { name },
    spec: {
      source,
      entity: { name: entity, key: `record.${entity}` },
      features: [{ name: 'mean_3h', function: 'mean', of: 'record.delay', window: '3h' }],
    },
  });
}

export const digestOf = (character: string): string => `sha256:${character.repeat(64)}`;

export const anInterval = { value: 0.7, low: 0.6, high: 0.8 };

export function aTrainerResult(fields: Partial<TrainerResult> = {}): TrainerResult {
  return {
    contract: 'headrace.dev/trainer/v1',
    run_id: 'run-1',
    model: { digest: digestOf('b'), size_bytes: 10 },
    profile: { digest: digestOf('c') },
    signature: {
      inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [-1, 2] }],
    },
    features: ['distance', 'delay_3h'],
    task: 'binary',
    training_set: { digest: digestOf('a') },
    refit: true,
    shuffle_labels: false,
    rows: { train: 80, validation: 20, registered: 100 },
    event_time: { train_from: 1, registered_to: 2 },
    metrics: { validation: { auc: anInterval } },
    champion: null,
    seed: 7,
    environment: { lock_digest: digestOf('d') },
    parity: { max_abs_difference: 1e-7 },
    ...fields,
  };
}

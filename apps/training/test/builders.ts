import { kinds, type FeatureView, type TrainingPlan } from '@headrace/definitions';

type PlanSpec = TrainingPlan['spec'];

export function aPlan(spec: Partial<PlanSpec> = {}): TrainingPlan {
  return kinds.TrainingPlan.parse({
    apiVersion: 'headrace.dev/v1',
    kind: 'TrainingPlan',
    metadata: { name: 'late-flights' },
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

// What is wrong with a Model or an Endpoint beyond its schema.
import type { Definition } from '@headrace/definitions';

/** Sentences that name the field. */
export function faultsOf(definition: Definition): string[] {
  if (definition.kind === 'Model') {
    const names = definition.spec.gates.map((gate) => gate.name);
    const repeated = names.filter((name, index) => names.indexOf(name) !== index);
    const crossed = definition.spec.gates.filter(({ min, max }) => min !== undefined && max !== undefined && min > max);
    return [
      ...repeated.map((name) => `spec.gates: two gates are called "${name}"`),
      ...crossed.map((gate) => `spec.gates: "${gate.name}" can never pass, its min is above its max`),
    ];
  }
  if (definition.kind === 'Endpoint') {
    const { steps } = definition.spec.rollout;
    const weights = steps.map((step) => step.weight);
    const isRising = weights.every((weight, index) => index === 0 || weight > (weights[index - 1] ?? 0));
    return isRising ? [] : [`spec.rollout.steps: weights must rise, found ${weights.join(', ')}`];
  }
  return [];
}

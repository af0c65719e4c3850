import type { Definition } from '@headrace/definitions';

/** What is wrong with a Monitor beyond its schema; each a sentence that names the field. */
export function faultsOf(definition: Definition): string[] {
  if (definition.kind !== 'Monitor') return [];
  const { drift, estimate, performance, concept, retraining } = definition.spec;
  const signals = { drift, estimate, performance, concept };
  const faults: string[] = [];
  for (const signal of retraining?.on ?? []) {
    if (signals[signal] === undefined) {
      faults.push(`spec.retraining.on: ${signal} is wanted, yet spec.${signal} is not there`);
    }
  }
  if (concept && concept.crossings > concept.detectors.length) {
    faults.push(
      `spec.concept.crossings: found ${concept.crossings}, at most ${concept.detectors.length}, the number of detectors`,
    );
  }
  for (const [name, rules] of Object.entries({ drift, estimate, performance })) {
    if (rules && rules.crossings > rules.tests.length) {
      faults.push(
        `spec.${name}.crossings: found ${rules.crossings}, at most ${rules.tests.length}, the number of tests`,
      );
    }
  }
  return faults;
}

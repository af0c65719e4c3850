import type { Definition } from '@headrace/definitions';

/** What is wrong with a Monitor beyond its schema; each a sentence that names the field. */
export function faultsOf(definition: Definition): string[] {
  if (definition.kind !== 'Monitor') return [];
  const { drift, performance, retraining } = definition.spec;
  const faults: string[] = [];
  for (const signal of retraining?.on ?? []) {
    if ((signal === 'drift' ? drift : performance) === undefined) {
      faults.push(`spec.retraining.on: ${signal} is wanted, yet spec.${signal} is not there`);
    }
  }
  for (const [name, rules] of Object.entries({ drift, performance })) {
    if (rules && rules.crossings > rules.tests.length) {
      faults.push(
        `spec.${name}.crossings: found ${rules.crossings}, at most ${rules.tests.length}, the number of tests`,
      );
    }
  }
  return faults;
}

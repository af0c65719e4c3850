import { taskFaults, type Definition, type DefinitionOf, type Kind, type Monitor } from '@headrace/definitions';
import { MICROS, parseDuration } from '@headrace/event-time';
import { requiredOf, WEEK } from './live-reference';

/** What other services published. */
interface KnownDefinitions {
  get<K extends Kind>(kind: K, name: string): { readonly definition: DefinitionOf<K> } | undefined;
}

/** What is wrong with a Monitor beyond its schema; each a sentence that names the field. */
export function faultsOf(definition: Definition): string[] {
  if (definition.kind !== 'Monitor') return [];
  const { drift, estimate, performance, concept, retraining, window, metrics = [] } = definition.spec;
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
  const ofMetrics = metrics.filter((metric) => metric.test !== undefined);
  const [tested] = ofMetrics;
  if (tested && performance === undefined) {
    faults.push(
      `spec.metrics.${metrics.indexOf(tested)}.test: crosses beside the tests of spec.performance, which is not there`,
    );
  }
  if (drift?.reference) faults.push(...referenceFaults(drift.reference, window));
  for (const [name, rules] of Object.entries({ drift, estimate, performance })) {
    const tests = (rules?.tests.length ?? 0) + (name === 'performance' ? ofMetrics.length : 0);
    if (rules && rules.crossings > tests) {
      faults.push(`spec.${name}.crossings: found ${rules.crossings}, at most ${tests}, the number of tests`);
    }
  }
  return faults;
}

/** Tests of a Monitor that its model, where that is known already, has no measure for. */
export function conflictsOf(definition: Definition, known: KnownDefinitions): string[] {
  if (definition.kind !== 'Monitor') return [];
  const endpoint = known.get('Endpoint', definition.spec.endpoint)?.definition.spec;
  const model = endpoint && known.get('Model', endpoint.model)?.definition.spec;
  if (!model) return [];
  const { task } = model;
  return taskFaults(definition, { name: endpoint.model, task }).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  );
}

function referenceFaults(
  reference: NonNullable<NonNullable<Monitor['spec']['drift']>['reference']>,
  window: string,
): string[] {
  if (reference.kind === 'training') return [];
  const faults: string[] = [];
  const field = reference.kind === 'moving' ? 'windows' : 'weeks';
  const most = reference.kind === 'moving' ? reference.windows : reference.weeks;
  if (requiredOf(reference) > most) {
    faults.push(`spec.drift.reference.atLeast: found ${reference.atLeast}, at most ${most}, the number of ${field}`);
  }
  const length = parseDuration(window);
  if (reference.kind === 'same-weekday' && (length > MICROS.d || WEEK % length !== 0)) {
    faults.push(
      `spec.window: found ${window}; for the reference same-weekday at most 1d, and a whole number of windows a week`,
    );
  }
  return faults;
}

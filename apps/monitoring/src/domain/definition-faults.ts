import { taskFaults, type Definition, type DefinitionOf, type Kind, type Monitor } from '@headrace/definitions';
import { MICROS } from '@headrace/event-time';
import { liveRulesOf, requiredOf, WEEK } from './live-reference';
import { windowLengthOf } from './window-rule';

/** What other services published. */
interface KnownDefinitions {
  get<K extends Kind>(kind: K, name: string): { readonly definition: DefinitionOf<K> } | undefined;
}

/** What is wrong with a Monitor beyond its schema; each a sentence that names the field. */
export function faultsOf(definition: Definition): string[] {
  if (definition.kind !== 'Monitor') return [];
  const { drift, estimate, performance, concept, retraining, metrics = [] } = definition.spec;
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
  if (drift?.reference) faults.push(...referenceFaults(drift.reference, definition.spec));
  faults.push(...countFaults(definition.spec));
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
  spec: Monitor['spec'],
): string[] {
  if (reference.kind === 'training') return [];
  const faults: string[] = [];
  const field = reference.kind === 'moving' ? 'windows' : 'weeks';
  const most = reference.kind === 'moving' ? reference.windows : reference.weeks;
  if (requiredOf(reference) > most) {
    faults.push(`spec.drift.reference.atLeast: found ${reference.atLeast}, at most ${most}, the number of ${field}`);
  }
  const length = windowLengthOf(spec);
  if (reference.kind !== 'same-weekday') return faults;
  if (length === undefined || length > MICROS.d || WEEK % length !== 0) {
    const found = typeof spec.window === 'string' ? spec.window : 'windows by count';
    faults.push(
      `spec.window: found ${found}; for the reference same-weekday at most 1d, and a whole number of windows a week`,
    );
  }
  return faults;
}

/** What windows by count cannot have. */
function countFaults(spec: Monitor['spec']): string[] {
  if (typeof spec.window === 'string') return [];
  const { predictions } = spec.window;
  const faults: string[] = [];
  if (spec.minimumSample > predictions) {
    faults.push(
      `spec.minimumSample: found ${spec.minimumSample}, at most ${predictions}, the predictions of a window: else none is ever judged`,
    );
  }
  if (liveRulesOf(spec) !== undefined) return faults;
  for (const [place, { statistic, falseAlarms }] of (spec.drift?.tests ?? []).entries()) {
    const test = `spec.drift.tests.${place}`;
    const why = `the training profile has windows of time, not of ${predictions} predictions`;
    if (statistic === 'reconstruction_error') {
      faults.push(`${test}.statistic: reconstruction_error is told from the reference's windows, and ${why}`);
    } else if (falseAlarms !== undefined) {
      const instead = 'name a threshold, or take spec.drift.reference: { kind: moving, … }';
      faults.push(`${test}.falseAlarms: ${why}; ${instead}`);
    }
  }
  return faults;
}

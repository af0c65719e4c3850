// What is wrong with a TrainingPlan beyond its schema.
import type { Definition } from '@headrace/definitions';

/** Columns of a training set that are not features. */
const TAKEN = ['row_id', 'event_time', 'label'];

const TASKS_OF: Readonly<Record<string, readonly string[]>> = {
  lightgbm: ['binary', 'regression'],
  logistic_regression: ['binary'],
  linear_regression: ['regression'],
};

/** Sentences that name the field. */
export function faultsOf(definition: Definition): string[] {
  if (definition.kind !== 'TrainingPlan') return [];
  const { features, task, trainer } = definition.spec;
  const names = features.map((feature) => feature.name);
  const repeated = names.filter((name, index) => names.indexOf(name) !== index);
  const faults = repeated.map((name) => `spec.features: two features are called "${name}"`);
  for (const name of names.filter((found) => TAKEN.includes(found))) {
    faults.push(`spec.features: "${name}" is a column of every training set; choose another name`);
  }
  const tasks = TASKS_OF[trainer.algorithm] ?? [];
  if (!tasks.includes(task)) {
    faults.push(`spec.trainer.algorithm: ${trainer.algorithm} is for ${tasks.join(' and ')}, the task is ${task}`);
  }
  return faults;
}

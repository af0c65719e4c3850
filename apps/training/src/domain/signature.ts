// How the trained model is asked: its input columns and where each comes from.
import type { FeatureColumn } from '@headrace/contracts/proto/training/v1/training_events';
import type { TrainingPlan } from '@headrace/definitions';

/** Columns in the plan's order. `entityOf`: entity name of a view, undefined when the view is unknown. */
export function featureColumns(
  plan: TrainingPlan,
  entityOf: (view: string) => string | undefined,
): { kind: 'columns'; columns: FeatureColumn[] } | { kind: 'unknown-view'; view: string } {
  const columns: FeatureColumn[] = [];
  for (const input of plan.spec.features) {
    if (input.view === undefined || input.feature === undefined) {
      columns.push({ name: input.name, view: '', feature: '', requestExpression: input.request ?? '', entity: '' });
      continue;
    }
    const entity = entityOf(input.view);
    if (entity === undefined) return { kind: 'unknown-view', view: input.view };
    columns.push({ name: input.name, view: input.view, feature: input.feature, requestExpression: '', entity });
  }
  return { kind: 'columns', columns };
}

/** What is wrong with the columns of a training set, or undefined. The trainer and the gateway rely on their order. */
export function columnsFault(
  expected: readonly FeatureColumn[],
  found: readonly { name: string }[],
): string | undefined {
  const wanted = expected.map((column) => column.name);
  const names = found.map((column) => column.name);
  if (wanted.length === names.length && wanted.every((name, index) => name === names[index])) return undefined;
  return `the training set has the columns ${names.join(', ')}; the plan has ${wanted.join(', ')}`;
}

export interface Champion {
  readonly version: number;
  readonly digest: string;
  readonly features: readonly string[];
}

/** The champion is compared on the same rows only when it asks for the same columns. */
export function comparableChampion(
  champion: Champion | undefined,
  columns: readonly { name: string }[],
): Champion | undefined {
  if (!champion) return undefined;
  const same =
    champion.features.length === columns.length &&
    champion.features.every((name) => columns.some((column) => column.name === name));
  return same ? champion : undefined;
}

import { compileExpression, type Expression, type TrainingPlan } from '@headrace/definitions';
import type { CompiledFeature, CompiledView } from './feature-view';

/** Where one column of a training set, or one input of a model, comes from. */
export type ColumnSource =
  | { readonly kind: 'view'; readonly view: CompiledView; readonly feature: CompiledFeature }
  | { readonly kind: 'request'; readonly expression: Expression; readonly source: string };

export interface TrainingColumn {
  readonly name: string;
  readonly from: ColumnSource;
}

export interface Fault {
  readonly code: string;
  readonly message: string;
}

export type ResolvedColumns =
  | { readonly kind: 'resolved'; readonly columns: readonly TrainingColumn[] }
  | { readonly kind: 'faulty'; readonly fault: Fault };

const RESERVED = new Set(['row_id', 'event_time', 'label']);

/** Looks up what the plan's features name. */
export function resolveColumns(plan: TrainingPlan, views: ReadonlyMap<string, CompiledView>): ResolvedColumns {
  const columns: TrainingColumn[] = [];
  const names = new Set<string>();
  for (const { name, request, view: viewName, feature: featureName } of plan.spec.features) {
    // Columns of the training set do not tell upper from lower case.
    const lowered = name.toLowerCase();
    if (RESERVED.has(lowered) || names.has(lowered)) {
      return faulty(
        'bad_feature_name',
        `feature "${name}": the name is there twice or is one of the set's own columns`,
      );
    }
    names.add(lowered);
    if (request !== undefined) {
      columns.push({
        name,
        from: { kind: 'request', expression: compileExpression(request, 'request'), source: request },
      });
      continue;
    }
    const view = views.get(viewName ?? '');
    if (!view) return faulty('unknown_view', `feature "${name}": there is no FeatureView "${viewName}"`);
    const feature = view.features.get(featureName ?? '');
    if (!feature) {
      return faulty('unknown_feature', `feature "${name}": FeatureView "${view.name}" has no feature "${featureName}"`);
    }
    if (plan.spec.spine.entities[view.entity] === undefined) {
      return faulty(
        'unknown_entity',
        `feature "${name}": spine.entities of plan "${plan.metadata.name}" does not say what "${view.entity}" is, the ` +
          `entity of FeatureView "${view.name}"`,
      );
    }
    columns.push({ name, from: { kind: 'view', view, feature } });
  }
  return { kind: 'resolved', columns };
}

function faulty(code: string, message: string): ResolvedColumns {
  return { kind: 'faulty', fault: { code, message } };
}

/** "<view>:<feature>" or "request:<name>". */
export function describeSource(column: TrainingColumn): string {
  return column.from.kind === 'view'
    ? `${column.from.view.name}:${column.from.feature.name}`
    : `request:${column.name}`;
}

/** The views that columns come from, each once. */
export function viewsOf(columns: readonly TrainingColumn[]): CompiledView[] {
  return [...new Set(columns.flatMap(({ from }) => (from.kind === 'view' ? [from.view] : [])))];
}

/** "<name>@<content hash>" of each view. */
export function contentsOf(columns: readonly TrainingColumn[]): string[] {
  return viewsOf(columns).map(({ name, version }) => `${name}@${version}`);
}

// What one list of asked features means: which views to read, which expressions to evaluate, and where each value goes.
import { DomainError } from '@headrace/contracts';
import type { FeatureRef } from '@headrace/contracts/proto/features/v1/features_service';
import { asNumber, checkExpression, compileExpression, type Expression, type Fields } from '@headrace/definitions';
import { planAccumulators, type AccumulatorPlan } from '../domain/accumulators';
import type { CompiledFeature, CompiledView } from '../domain/feature-view';

export interface ViewPart {
  readonly view: CompiledView;
  readonly accumulators: AccumulatorPlan;
  /** Position in the answer of each of the part's features. */
  readonly positions: readonly number[];
}

export interface OnlinePlan {
  readonly width: number;
  readonly parts: readonly ViewPart[];
  /** Of the views. */
  readonly streams: readonly string[];
  readonly requests: readonly { readonly position: number; readonly expression: Expression }[];
}

export function planOnlineRead(
  features: readonly FeatureRef[],
  viewOf: (name: string) => CompiledView | undefined,
): OnlinePlan {
  if (features.length === 0) throw invalid('no_features', 'features: expected at least one');
  const wanted = new Map<CompiledView, { feature: CompiledFeature; position: number }[]>();
  const requests: { position: number; expression: Expression }[] = [];
  features.forEach((ref, position) => {
    if (ref.requestExpression !== '') {
      const fault = checkExpression(ref.requestExpression);
      if (fault !== undefined) throw invalid('bad_expression', `features.${position}.request_expression: ${fault}`);
      requests.push({ position, expression: compileExpression(ref.requestExpression, 'request') });
      return;
    }
    const view = viewOf(ref.view);
    if (!view) throw invalid('unknown_view', `features.${position}.view: there is no FeatureView "${ref.view}"`);
    const feature = view.features.get(ref.feature);
    if (!feature) {
      const known = [...view.features.keys()].join(', ');
      throw invalid(
        'unknown_feature',
        `features.${position}.feature: "${ref.view}" has no feature "${ref.feature}"; it has ${known}`,
      );
    }
    wanted.set(view, [...(wanted.get(view) ?? []), { feature, position }]);
  });
  return {
    width: features.length,
    requests,
    streams: [...new Set([...wanted.keys()].map(({ stream }) => stream))],
    parts: [...wanted].map(([view, entries]) => ({
      view,
      accumulators: planAccumulators(entries.map(({ feature }) => feature)),
      positions: entries.map(({ position }) => position),
    })),
  };
}

/** Values of the request features, NaN = missing, at their places. */
export function evaluateRequest(plan: OnlinePlan, request: Fields, values: number[]): void {
  for (const { position, expression } of plan.requests) values[position] = asNumber(expression(request)) ?? NaN;
}

function invalid(code: string, message: string): DomainError {
  return new DomainError('invalid', code, message);
}

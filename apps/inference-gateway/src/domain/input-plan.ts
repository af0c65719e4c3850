// What a version needs to be asked by entity: which keys and fields a caller must give, and which features are fetched.
import { DomainError } from '@headrace/contracts';
import type { FeatureRef } from '@headrace/contracts/proto/features/v1/features_service';
import type { PredictRequest } from '@headrace/contracts/proto/inference/v1/inference_service';
import type { FeatureColumn } from '@headrace/contracts/proto/training/v1/training_events';
import { requiredFieldsOf } from '@headrace/definitions';

export interface InputPlan {
  readonly entities: readonly string[];
  readonly requestFields: readonly string[];
  /** In the order of the model's input columns. */
  readonly features: readonly FeatureRef[];
  readonly names: readonly string[];
}

/** Throws on a request expression that does not parse. */
export function planInputs(columns: readonly FeatureColumn[]): InputPlan {
  const entities = columns.map(({ entity }) => entity).filter((entity) => entity !== '');
  const fields = columns.flatMap(({ requestExpression }) =>
    requestExpression === '' ? [] : requiredFieldsOf(requestExpression, 'request'),
  );
  return {
    entities: [...new Set(entities)],
    requestFields: [...new Set(fields)],
    features: columns.map(({ name, view, feature, requestExpression }) => ({ name, view, feature, requestExpression })),
    names: columns.map(({ name }) => name),
  };
}

const PREDICTION_ID = /^[\x20-\x7e]{1,128}$/;
/** An answer is logged with its request as one Kafka record. */
const MAX_TEXT = 65_536;
const MAX_FIELDS = 256;

/**
 * Throws an `invalid` DomainError that names what is missing or wrong. A field may be null: then the features that are
 * made of it are missing values.
 */
export function checkPredictRequest(request: PredictRequest, plan: InputPlan, joinKey: string): void {
  const gap = gapIn(request, plan);
  if (gap !== undefined) throw invalid('input_missing', gap);
  if (joinKey !== '' && joinKeyOf(request, joinKey) === '') {
    throw invalid('join_key_missing', `request["${joinKey}"] is missing or empty: labels are joined by it`);
  }
  if (request.predictionId !== '' && !PREDICTION_ID.test(request.predictionId)) {
    throw invalid('prediction_id_invalid', 'prediction_id: expected 1 to 128 printable ASCII characters');
  }
  if (!Number.isSafeInteger(request.asOfMicros) || request.asOfMicros < 0) {
    throw invalid(
      'as_of_invalid',
      `as_of_micros ${request.asOfMicros}: expected microseconds since 1970, or 0 for now`,
    );
  }
  checkSize(request);
}

/** What the plan needs and the request does not bring, or undefined. */
export function gapIn({ entities, request }: PredictRequest, plan: InputPlan): string | undefined {
  for (const name of plan.entities) {
    if (!entities[name]) return `entities["${name}"] is missing: expected the key of entity ${name}`;
  }
  for (const name of plan.requestFields) {
    if (request[name] === undefined) return `request["${name}"] is missing: the model's features are made of it`;
  }
  return undefined;
}

function checkSize({ entities, request }: PredictRequest): void {
  let fields = 0;
  let text = 0;
  for (const name in entities) {
    fields += 1;
    text += name.length + (entities[name]?.length ?? 0);
  }
  for (const name in request) {
    fields += 1;
    const kind = request[name]?.kind;
    text += name.length + (kind?.$case === 'stringValue' ? kind.value.length : 0);
  }
  if (fields > MAX_FIELDS) throw invalid('too_many_fields', `${fields} entities and fields: at most ${MAX_FIELDS}`);
  if (text > MAX_TEXT)
    throw invalid('request_too_large', `${text} characters of entities and fields: at most ${MAX_TEXT}`);
}

/** Value that keys the prediction log: equals the record key of the label stream. Empty when there is none. */
export function joinKeyOf(request: PredictRequest, joinKey: string): string {
  const kind = request.request[joinKey]?.kind;
  return kind === undefined ? '' : String(kind.value);
}

/** The entity or request field that keeps its version in an A/B rollout. Throws an `invalid` DomainError without it. */
export function unitOf(request: PredictRequest, unit: string): string {
  const value = request.entities[unit] || joinKeyOf(request, unit);
  if (value === '') {
    const message = `entities["${unit}"] or request["${unit}"] is missing or empty: it decides which version answers`;
    throw invalid('unit_missing', message);
  }
  return value;
}

function invalid(code: string, message: string): DomainError {
  return new DomainError('invalid', code, message);
}

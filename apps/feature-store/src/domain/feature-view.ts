import {
  asNumber,
  compileExpression,
  type Expression,
  type FeatureView,
  type Fields,
  type Scalar,
} from '@headrace/definitions';
import { parseDuration } from '@headrace/event-time';
import type { AggregateFunction } from './aggregate';
import { toUnits } from './fixed-point';

export interface CompiledFeature {
  readonly name: string;
  readonly function: AggregateFunction;
  /** Index into the view's inputs; undefined: counts records. */
  readonly input: number | undefined;
  readonly windowMicros: number;
}

/** A feature view ready to be computed. */
export interface CompiledView {
  readonly name: string;
  /** Content hash of its definition. */
  readonly version: string;
  readonly definition: FeatureView;
  readonly stream: string;
  readonly entity: string;
  readonly features: ReadonlyMap<string, CompiledFeature>;
  /** CEL sources of the distinct inputs. */
  readonly inputs: readonly string[];
  readonly longestWindowMicros: number;
  readonly retentionMicros: number;
  /** Every CEL source that is evaluated over a record. */
  readonly sources: readonly string[];
  /** What one record of the stream gives to this view; undefined when it gives nothing. */
  readonly project: (fields: Fields) => Projection | undefined;
}

export interface Projection {
  readonly entity: string;
  /** Units of 1e-9 in the order of the view's inputs; null = missing. */
  readonly inputs: readonly (bigint | null)[];
}

export function compileView(definition: FeatureView, version: string): CompiledView {
  const { spec } = definition;
  const inputs = [...new Set(spec.features.flatMap((feature) => (feature.of === undefined ? [] : [feature.of])))];
  const key = compileExpression(spec.entity.key, 'record');
  const where = spec.where === undefined ? undefined : compileExpression(spec.where, 'record');
  const expressions = inputs.map((source) => compileExpression(source, 'record'));
  const features = spec.features.map((feature): CompiledFeature => ({
    name: feature.name,
    function: feature.function,
    input: feature.of === undefined ? undefined : inputs.indexOf(feature.of),
    windowMicros: parseDuration(feature.window),
  }));
  return {
    name: definition.metadata.name,
    version,
    definition,
    stream: spec.source,
    entity: spec.entity.name,
    features: new Map(features.map((feature) => [feature.name, feature])),
    inputs,
    longestWindowMicros: Math.max(...features.map(({ windowMicros }) => windowMicros)),
    retentionMicros: parseDuration(spec.retention),
    sources: [spec.entity.key, ...(spec.where === undefined ? [] : [spec.where]), ...inputs],
    project: (fields) => project(fields, key, where, expressions),
  };
}

/** Null and absent are one: the Parquet files of history cannot tell them apart, so nobody may. */
function withoutNulls(fields: Fields): Fields {
  const entries = Object.entries(fields);
  const present = entries.filter(([, value]) => value.kind !== undefined);
  return present.length === entries.length ? fields : Object.fromEntries(present);
}

function project(
  given: Fields,
  key: Expression,
  where: Expression | undefined,
  inputs: readonly Expression[],
): Projection | undefined {
  const fields = withoutNulls(given);
  if (where !== undefined && where(fields) !== true) return undefined;
  const entity = entityKeyOf(key(fields));
  if (entity === undefined) return undefined;
  return {
    entity,
    inputs: inputs.map((input) => toUnits(asNumber(input(fields))) ?? null),
  };
}

const LONGEST_ENTITY_KEY = 500;

/** Keys are texts; numbers and bools in their usual writing. Undefined: none, or one that no index could hold. */
export function entityKeyOf(value: Scalar | undefined): string | undefined {
  if (value === undefined) return undefined;
  const key = String(value);
  return key.length > LONGEST_ENTITY_KEY || key.includes('\0') ? undefined : key;
}

/** What is wrong with a view beyond its schema, each a sentence that names the field. */
export function faultsOfView(definition: FeatureView): string[] {
  const faults: string[] = [];
  const names = new Set<string>();
  definition.spec.features.forEach((feature, index) => {
    if (names.has(feature.name)) faults.push(`spec.features.${index}.name: "${feature.name}" is there twice`);
    names.add(feature.name);
    // Times before 1970 minus the window must stay exact in a double.
    if (parseDuration(feature.window) > LONGEST_WINDOW) {
      faults.push(`spec.features.${index}.window: expected at most 3650d`);
    }
  });
  if (parseDuration(definition.spec.retention) > LONGEST_WINDOW) faults.push('spec.retention: expected at most 3650d');
  return faults;
}

const LONGEST_WINDOW = parseDuration('3650d');

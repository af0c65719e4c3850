import { compileExpression, type DataStream, type Expression } from '@headrace/definitions';
import { parseDuration } from '@headrace/event-time';
import { fieldRule, type FieldRule } from './field-rules';

interface CompiledExpectation {
  readonly name: string;
  readonly expression: Expression;
  readonly source: string;
  readonly action: 'reject' | 'warn';
  readonly message: string | undefined;
}

/** One version of a DataStream, ready to judge records. */
export interface StreamRules {
  readonly stream: string;
  /** Content hash of the definition. */
  readonly version: string;
  readonly topic: string;
  readonly key: string;
  readonly eventTime: string;
  readonly knownTime: string | undefined;
  readonly fields: readonly { readonly name: string; readonly rule: FieldRule }[];
  readonly expectations: readonly CompiledExpectation[];
  readonly quality: {
    readonly windowMicros: number;
    readonly threshold: number;
    readonly minimumRecords: number;
  };
}

export function compileStream(definition: DataStream, version: string): StreamRules {
  const { spec } = definition;
  return {
    stream: definition.metadata.name,
    version,
    topic: spec.source.kafka.topic,
    key: spec.key,
    eventTime: spec.eventTime,
    knownTime: spec.knownTime,
    fields: Object.entries(spec.fields).map(([name, field]) => ({ name, rule: fieldRule(name, field) })),
    expectations: spec.expectations.map(({ name, expression, action, message }) => ({
      name,
      expression: compileExpression(expression, 'record'),
      source: expression,
      action,
      message,
    })),
    quality: {
      windowMicros: parseDuration(spec.quality.window),
      threshold: spec.quality.threshold,
      minimumRecords: spec.quality.minimumRecords,
    },
  };
}

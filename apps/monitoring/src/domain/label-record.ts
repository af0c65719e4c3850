// A person's answer as a record of the label's stream: what an upstream system would publish.
import {
  boolValue,
  doubleValue,
  intValue,
  stringValue,
  timeValue,
  type DataStream,
  type Expression,
  type Fields,
} from '@headrace/definitions';
import { formatTime, parseTime } from '@headrace/event-time';
import { labelOf, type Task } from './label-source';

export type AnswerField = string | number | boolean | null;

export type LabelRecord =
  | { readonly kind: 'record'; readonly record: Readonly<Record<string, AnswerField>>; readonly label: number }
  | { readonly kind: 'faulty'; readonly message: string };

/**
 * `given`: fields as a person says them. The key field is the prediction's own; time fields that are not given are the moment of
 * the prediction, so that an answer never moves a stream's known time ahead of its data. The rest is for ingestion to judge.
 */
export function labelRecord(
  { fields, key, eventTime, knownTime }: DataStream['spec'],
  given: Readonly<Record<string, AnswerField>>,
  prediction: { readonly joinKey: string; readonly asOfMicros: number },
  evaluate: Expression,
  task: Task,
): LabelRecord {
  const unknown = Object.keys(given).filter((name) => fields[name] === undefined);
  if (unknown.length > 0) {
    return faulty(`the stream has no field "${unknown.join('", "')}": it has ${Object.keys(fields).join(', ')}`);
  }
  const keyType = fields[key]?.type;
  const own = keyType === 'int' || keyType === 'double' ? Number(prediction.joinKey) : prediction.joinKey;
  if (given[key] !== undefined && String(given[key]) !== prediction.joinKey) {
    return faulty(`${key}: the prediction's key is "${prediction.joinKey}"; leave it out`);
  }
  const at = formatTime(prediction.asOfMicros);
  const times = Object.fromEntries(
    [eventTime, ...(knownTime === undefined ? [] : [knownTime])].map((name) => [name, at]),
  );
  const record: Record<string, AnswerField> = { ...times, ...given, [key]: own };
  const typed: Record<string, NonNullable<Fields[string]>> = {};
  for (const [name, { type, required }] of Object.entries(fields)) {
    const value = record[name];
    if (value === undefined || value === null) {
      if (required) return faulty(`${name}: expected ${article(type)}`);
      continue;
    }
    const found = typedValue(type, value);
    if (!found) return faulty(`${name}: found ${JSON.stringify(value)}, expected ${article(type)}`);
    typed[name] = found;
  }
  const label = labelOf(evaluate, typed, task);
  if (label.kind === 'label') return { kind: 'record', record, label: label.value };
  return faulty(
    label.kind === 'missing'
      ? 'the label expression of the Monitor gives nothing for this record'
      : 'the label expression of the Monitor gives neither true nor false for this record',
  );
}

function faulty(message: string): LabelRecord {
  return { kind: 'faulty', message };
}

function article(type: string): string {
  if (type === 'timestamp') return 'a time such as 2026-01-31T12:00:00Z';
  return type === 'int'
    ? 'a whole number'
    : type === 'double'
      ? 'a number'
      : type === 'bool'
        ? 'true or false'
        : 'a text';
}

function typedValue(type: DataStream['spec']['fields'][string]['type'], value: AnswerField) {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? stringValue(value) : undefined;
    case 'int':
      return Number.isSafeInteger(value) ? intValue(Number(value)) : undefined;
    case 'double':
      return typeof value === 'number' && Number.isFinite(value) ? doubleValue(value) : undefined;
    case 'bool':
      return typeof value === 'boolean' ? boolValue(value) : undefined;
    case 'timestamp': {
      const micros = typeof value === 'string' ? parseTime(value) : undefined;
      return micros === undefined ? undefined : timeValue(micros);
    }
  }
}

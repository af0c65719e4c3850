import { topics } from '@headrace/contracts';
import type { DataStream } from '@headrace/definitions';
import { PATTERN_MAX_LENGTH, patternFault } from './bounded-pattern';

type Field = DataStream['spec']['fields'][string];

const MAX_FIELDS = 1_000;

/** What is wrong with a DataStream beyond its schema, each a sentence that names the field. `others`: the other streams. */
export function faultsOf(stream: DataStream, others: readonly DataStream[]): string[] {
  const { spec } = stream;
  const names = Object.keys(spec.fields);
  const faults: string[] = [];
  if (names.length > MAX_FIELDS) faults.push(`spec.fields: found ${names.length}, at most ${MAX_FIELDS} are allowed`);
  faults.push(...faultsOfNames(names), ...faultsOfRoles(spec));
  for (const [name, field] of Object.entries(spec.fields)) {
    faults.push(...faultsOfField(field).map((fault) => `spec.fields.${name}.${fault}`));
  }
  const expectations = spec.expectations.map((expectation) => expectation.name);
  for (const name of new Set(expectations.filter((one, index) => expectations.indexOf(one) !== index))) {
    faults.push(`spec.expectations: the name "${name}" stands twice`);
  }
  if (isOwnTopic(spec.source.kafka.topic)) {
    faults.push(`spec.source.kafka.topic: "${spec.source.kafka.topic}" is not a topic that upstream systems can have`);
  }
  const twin = others.find((other) => other.spec.source.kafka.topic === spec.source.kafka.topic);
  if (twin) {
    faults.push(
      `spec.source.kafka.topic: "${spec.source.kafka.topic}" is already read by DataStream/${twin.metadata.name}`,
    );
  }
  return faults;
}

/** Headrace's own topics, dead letters and redrives, and the two names that Kafka refuses. */
function isOwnTopic(name: string): boolean {
  if (/^\.{1,2}$|\.(dlq|redrive)$|^__/.test(name)) return true;
  return Object.values(topics).some((topic) => {
    const [before = '', after] = topic.name.split('{stream}');
    return after === undefined ? name === before : name.startsWith(before) && name.endsWith(after);
  });
}

/** Columns of a dataset's files are the field names, beside Headrace's own (_key, _event_time …); case does not count. */
function faultsOfNames(names: readonly string[]): string[] {
  const faults: string[] = [];
  const seen = new Map<string, string>();
  for (const name of names) {
    if (name.startsWith('_')) {
      faults.push(`spec.fields.${name}: names that begin with an underscore are kept for Headrace's own columns`);
    }
    const twin = seen.get(name.toLowerCase());
    if (twin !== undefined) faults.push(`spec.fields.${name}: differs from ${twin} in upper and lower case only`);
    seen.set(name.toLowerCase(), name);
  }
  return faults;
}

function faultsOfRoles(spec: DataStream['spec']): string[] {
  const faults: string[] = [];
  const declared = `expected one of spec.fields: ${Object.keys(spec.fields).slice(0, 20).join(', ')}`;
  const key = spec.fields[spec.key];
  if (!key) faults.push(`spec.key: "${spec.key}" is not declared, ${declared}`);
  else {
    if (key.type !== 'string' && key.type !== 'int') {
      faults.push(`spec.key: "${spec.key}" has type ${key.type}, expected string or int`);
    }
    if (!key.required) faults.push(`spec.key: "${spec.key}" has required: false, a key must be there`);
  }
  for (const role of ['eventTime', 'knownTime'] as const) {
    const name = spec[role];
    if (name === undefined) continue;
    const field = spec.fields[name];
    if (!field) faults.push(`spec.${role}: "${name}" is not declared, ${declared}`);
    else if (field.type !== 'timestamp')
      faults.push(`spec.${role}: "${name}" has type ${field.type}, expected timestamp`);
    else if (role === 'eventTime' && !field.required) {
      faults.push(`spec.eventTime: "${name}" has required: false, an event time must be there`);
    }
  }
  return faults;
}

function faultsOfField(field: Field): string[] {
  const faults: string[] = [];
  const isNumber = field.type === 'int' || field.type === 'double';
  for (const bound of ['min', 'max'] as const) {
    if (field[bound] !== undefined && !isNumber)
      faults.push(`${bound}: not for type ${field.type}, only int and double`);
  }
  for (const rule of ['maxLength', 'pattern'] as const) {
    if (field[rule] !== undefined && field.type !== 'string')
      faults.push(`${rule}: not for type ${field.type}, only string`);
  }
  if (field.min !== undefined && field.max !== undefined && field.min > field.max) {
    faults.push(`min: ${field.min} is above max ${field.max}`);
  }
  if (field.oneOf !== undefined) {
    if (!isNumber && field.type !== 'string') faults.push(`oneOf: not for type ${field.type}`);
    const wrong = field.oneOf.find((member) => (typeof member === 'number') !== isNumber);
    if (wrong !== undefined) faults.push(`oneOf: ${JSON.stringify(wrong)} is not of type ${field.type}`);
  }
  if (field.pattern !== undefined) {
    const fault = patternFault(field.pattern, field.maxLength ?? PATTERN_MAX_LENGTH);
    if (fault !== undefined) faults.push(`pattern: ${fault}`);
  }
  return faults;
}

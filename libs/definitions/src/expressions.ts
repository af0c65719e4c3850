// CEL (Common Expression Language) over records and requests, by @bufbuild/cel: no I/O, no loops, bounded by its input.
import { celEnv, parse, plan } from '@bufbuild/cel';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Value } from '@headrace/contracts/proto/common/v1/common';

export type Fields = Readonly<Record<string, Value>>;
export type Scalar = string | number | boolean;

/** Undefined stands for missing: the expression met an absent or null field, or could not be computed over it. */
export type Expression = (fields: Fields) => Scalar | undefined;

const environment = celEnv();

/** What is wrong with a CEL source, or undefined. */
export function checkExpression(source: string): string | undefined {
  try {
    plan(environment, parse(source));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

type CelInput = string | number | bigint | boolean | null | ReturnType<typeof timestampFromMs>;

function toCel(value: Value | undefined): CelInput {
  const kind = value?.kind;
  if (kind === undefined) return null;
  if (kind.$case === 'intValue') return BigInt(kind.value);
  if (kind.$case === 'timeValue') return timestampFromMs(Math.floor(kind.value / 1_000));
  return kind.value;
}

/** Compiles once; evaluates over one variable (`record` or `request`). Throws on a source that does not parse. */
export function compileExpression(source: string, variable: 'record' | 'request'): Expression {
  const program = plan(environment, parse(source));
  const field = new RegExp(`^\\s*${variable}\\s*\\.\\s*([A-Za-z_][A-Za-z0-9_]*)\\s*$`).exec(source)?.[1];
  if (field !== undefined) return (fields) => plainField(fields[field]);
  const named = fieldsRead(source, variable);
  return (fields) => {
    const input: Record<string, CelInput> = {};
    for (const name of named ?? Object.keys(fields)) if (Object.hasOwn(fields, name)) input[name] = toCel(fields[name]);
    return scalarOrMissing(program({ [variable]: input }));
  };
}

/** The most frequent expression by far, without the way through CEL: same values (a time is no scalar there either). */
function plainField(value: Value | undefined): Scalar | undefined {
  const kind = value?.kind;
  return kind === undefined || kind.$case === 'timeValue' ? undefined : scalarOrMissing(kind.value);
}

function scalarOrMissing(result: unknown): Scalar | undefined {
  if (typeof result === 'bigint') return Number(result);
  if (typeof result === 'number') return Number.isNaN(result) ? undefined : result;
  if (typeof result === 'boolean' || typeof result === 'string') return result;
  return undefined;
}

/** The fields that an expression can read, so that only they are converted; undefined when it may read any. */
function fieldsRead(source: string, variable: string): string[] | undefined {
  const access = new RegExp(`\\b${variable}\\s*\\.\\s*([A-Za-z_][A-Za-z0-9_]*)`, 'g');
  const names = [...source.matchAll(access)].map((match) => match[1] ?? '');
  return new RegExp(`\\b${variable}\\b`).test(source.replaceAll(access, '')) ? undefined : [...new Set(names)];
}

/** A number for models and aggregates: bools as 0 and 1, strings and missing as undefined. */
export function asNumber(value: Scalar | undefined): number | undefined {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

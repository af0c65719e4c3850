// The data of a JSON tensor: flat or nested arrays of numbers, booleans or strings.
import type { InputRows } from '../models/row-packing';
import type { Datatype, TensorSpec } from '../models/tensors';
import { bytesOf, checkText, fill, shapedAs } from './elements';
import { quoted, tensorFault } from './tensor-request';

/** 0 … 255 and so on; what an integer type can hold is checked when it is filled. */
const INTEGERS = new Set<Datatype>(['UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64']);
const RANGE_OF = { INT64: [-(2n ** 63n), 2n ** 63n - 1n], UINT64: [0n, 2n ** 64n - 1n] } as const;
/** JSON has no words for them; null is a missing value too. */
const WORDS: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  [null, NaN],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
]);

export function readJson(data: readonly unknown[], spec: TensorSpec, count: number, rows: number): InputRows {
  const { name, datatype } = spec;
  // No room is made for more than came, whatever the shape says.
  if ((datatype === 'FP32' || datatype === 'FP64') && leavesOf(data, spec.shape.length) === count) {
    const plain = datatype === 'FP32' ? new Float32Array(count) : new Float64Array(count);
    if (fillPlain(data, plain, spec.shape.length, 0) === count) return bytesOf(plain);
  }
  const flat: unknown[] = [];
  flatten(data, spec, spec.shape.length, count, flat);
  if (flat.length !== count) {
    const got = flat.length > count ? 'more' : String(flat.length);
    throw tensorFault(name, `expected ${count} values for ${shapedAs(spec, rows)}, got ${got}`);
  }
  if (datatype === 'BYTES') {
    return flat.map((value, index) => {
      if (typeof value === 'string') return checkText(value, spec, index);
      throw wrong(spec, index, 'a string', value);
    });
  }
  return bytesOf(
    fill(
      spec,
      flat.map((value, index) => elementOf(value, spec, index)),
    ),
  );
}

/** How many elements there are when every list holds either lists or elements; otherwise some other number. */
function leavesOf(data: readonly unknown[], depth: number): number {
  if (depth <= 1 || !Array.isArray(data[0])) return data.length;
  let leaves = 0;
  for (const part of data) leaves += Array.isArray(part) ? leavesOf(part, depth - 1) : 1;
  return leaves;
}

/**
 * Nothing but numbers, nearly every request: the elements go where they belong at once. The next place, or -1 where something
 * else is, or too much: then the careful way finds what it is.
 */
function fillPlain(data: readonly unknown[], into: Float32Array | Float64Array, depth: number, from: number): number {
  let at = from;
  for (const value of data) {
    if (typeof value === 'number' && at < into.length) {
      into[at] = value;
      at += 1;
    } else if (depth > 1 && Array.isArray(value)) {
      at = fillPlain(value, into, depth - 1, at);
      if (at < 0) return -1;
    } else {
      return -1;
    }
  }
  return at;
}

/** One level of nesting for each dimension at most; ends as soon as there are too many elements. */
function flatten(data: readonly unknown[], spec: TensorSpec, depth: number, count: number, flat: unknown[]): void {
  for (const value of data) {
    if (flat.length > count) return;
    if (!Array.isArray(value)) flat.push(value);
    else if (depth > 1) flatten(value, spec, depth - 1, count, flat);
    else throw tensorFault(spec.name, `expected arrays nested ${spec.shape.length} deep at most`);
  }
}

function elementOf(value: unknown, spec: TensorSpec, index: number): number | bigint | boolean {
  const { datatype } = spec;
  if (datatype === 'BOOL') {
    if (typeof value === 'boolean') return value;
    if (value === 0 || value === 1) return value === 1;
    throw wrong(spec, index, 'true or false', value);
  }
  if (INTEGERS.has(datatype)) {
    if (datatype === 'INT64' || datatype === 'UINT64') return wideInteger(value, datatype, spec, index);
    if (typeof value === 'number' && Number.isInteger(value)) return value;
    throw wrong(spec, index, `an integer of ${datatype}`, value);
  }
  if (typeof value === 'number') return value;
  const word = WORDS.get(value);
  if (word === undefined) throw wrong(spec, index, 'a number, null or "NaN", "Infinity", "-Infinity"', value);
  return word;
}

function wideInteger(value: unknown, datatype: 'INT64' | 'UINT64', spec: TensorSpec, index: number): bigint {
  const written = typeof value === 'string' && /^-?\d{1,20}$/.test(value);
  if (!written && !(typeof value === 'number' && Number.isInteger(value))) {
    throw wrong(spec, index, `an integer of ${datatype}`, value);
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw wrong(spec, index, 'an integer beyond ±2^53 as a string, since JSON numbers lose digits there', value);
  }
  const number = BigInt(value as string | number);
  const [least, most] = RANGE_OF[datatype];
  if (number < least || number > most) throw wrong(spec, index, `an integer of ${datatype}`, value);
  return number;
}

function wrong({ name }: TensorSpec, index: number, expected: string, value: unknown): Error {
  const got =
    typeof value === 'string' ? quoted(value) : typeof value === 'object' && value ? 'an object' : String(value);
  return tensorFault(name, `element ${index}: expected ${expected}, got ${got}`);
}

// The elements of one input in the three ways in which they travel: raw bytes, typed contents, JSON.
import type { InferTensorContents } from '@headrace/contracts/inference';
import type { InputRows } from '../models/row-packing';
import { DATATYPES, type Datatype, type TensorSpec } from '../models/tensors';
import { joinedElements, textOf } from './bytes-elements';
import { bytesOf, checkText, fill, shapedAs } from './elements';
import { readJson } from './read-json';
import { filledFields, tensorFault, type Payload } from './tensor-request';

/** `count` elements for `rows` rows. Throws an `invalid` DomainError. */
export function readPayload(payload: Payload, spec: TensorSpec, count: number, rows: number): InputRows {
  switch (payload.kind) {
    case 'raw':
      return readRaw(payload.bytes, spec, count, rows);
    case 'typed':
      return readTyped(payload.contents, spec, count, rows);
    case 'json':
      return readJson(payload.data, spec, count, rows);
  }
}

function readRaw(bytes: Uint8Array, spec: TensorSpec, count: number, rows: number): InputRows {
  const { name, datatype } = spec;
  if (datatype === 'BYTES') {
    const elements = joinedElements(bytes, count);
    if (typeof elements === 'string') throw tensorFault(name, `expected ${shapedAs(spec, rows)}: ${elements}`);
    return elements.map((element, index) => stringOf(element, spec, index));
  }
  const expected = count * DATATYPES[datatype].bytes;
  if (bytes.byteLength !== expected) {
    throw tensorFault(name, `expected ${expected} bytes for ${shapedAs(spec, rows)}, got ${bytes.byteLength}`);
  }
  if (datatype === 'BOOL') {
    const wrong = bytes.find((byte) => byte > 1);
    if (wrong !== undefined) throw tensorFault(name, `expected bytes of 0 or 1 for BOOL, got ${wrong}`);
  }
  return bytes;
}

type Field = keyof InferTensorContents;

/** Where typed contents lie; half precision has no such field. */
const FIELD_OF: Readonly<Record<Exclude<Datatype, 'FP16'>, readonly [Field, string]>> = {
  BOOL: ['boolContents', 'bool_contents'],
  UINT8: ['uintContents', 'uint_contents'],
  UINT16: ['uintContents', 'uint_contents'],
  UINT32: ['uintContents', 'uint_contents'],
  UINT64: ['uint64Contents', 'uint64_contents'],
  INT8: ['intContents', 'int_contents'],
  INT16: ['intContents', 'int_contents'],
  INT32: ['intContents', 'int_contents'],
  INT64: ['int64Contents', 'int64_contents'],
  FP32: ['fp32Contents', 'fp32_contents'],
  FP64: ['fp64Contents', 'fp64_contents'],
  BYTES: ['bytesContents', 'bytes_contents'],
};

function readTyped(
  contents: InferTensorContents | undefined,
  spec: TensorSpec,
  count: number,
  rows: number,
): InputRows {
  const { name, datatype } = spec;
  if (datatype === 'FP16') throw tensorFault(name, 'FP16 has no typed contents: expected raw_input_contents');
  const [field, fieldName] = FIELD_OF[datatype];
  const other = contents ? filledFields(contents).find((filled) => filled !== fieldName) : undefined;
  if (other !== undefined) throw tensorFault(name, `expected ${fieldName} for ${datatype}, got ${other}`);
  const values = contents?.[field] ?? [];
  if (values.length !== count) {
    throw tensorFault(name, `expected ${count} values for ${shapedAs(spec, rows)}, got ${values.length}`);
  }
  if (datatype === 'BYTES') return (contents?.bytesContents ?? []).map((value, index) => stringOf(value, spec, index));
  return bytesOf(fill(spec, values as readonly (number | bigint | boolean)[]));
}

function stringOf(bytes: Uint8Array, spec: TensorSpec, index: number): string {
  const text = textOf(bytes);
  if (text === undefined) throw tensorFault(spec.name, `element ${index}: expected UTF-8 text, got other bytes`);
  return checkText(text, spec, index);
}

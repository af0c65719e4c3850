// Numbers as the elements of tensors.
import { DATATYPES, describeTensor, type NumericData, type TensorSpec } from '../models/tensors';
import { halfBits } from './half';
import { tensorFault } from './tensor-request';

export function shapedAs(spec: TensorSpec, rows: number): string {
  return describeTensor({ ...spec, shape: [rows, ...spec.shape.slice(1)] });
}

/** Numbers and booleans as the elements of a tensor, each within the range of its type. */
export function fill({ name, datatype }: TensorSpec, values: readonly (number | bigint | boolean)[]): NumericData {
  if (datatype === 'FP16') return Uint16Array.from(values, (value) => halfBits(Number(value)));
  if (datatype === 'INT64') return BigInt64Array.from(values, BigInt);
  if (datatype === 'UINT64') return BigUint64Array.from(values, BigInt);
  const { array } = DATATYPES[datatype];
  if (array === undefined) {
    throw new TypeError(`${datatype} is not made of numbers`);
  }
  const data = (array as Float64ArrayConstructor).from(values as readonly number[]) as NumericData;
  if (datatype === 'FP32' || datatype === 'FP64' || datatype === 'BOOL') return data;
  for (let index = 0; index < values.length; index += 1) {
    if (data[index] === values[index]) continue;
    throw tensorFault(name, `element ${index}: expected a value of ${datatype}, got ${values[index]}`);
  }
  return data;
}

export function bytesOf(data: NumericData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The runtime ends a string at its first NUL: what would be lost is refused. */
export function checkText(text: string, { name }: TensorSpec, index: number): string {
  if (!text.includes('\0')) return text;
  throw tensorFault(name, `element ${index}: expected text without NUL characters`);
}

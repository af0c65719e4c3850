/** Datatypes of outputs, by the names of the Open Inference Protocol and of the runtime. */
export const OUTPUT_TYPES = {
  float32: { datatype: 'FP32', bytes: 4 },
  float64: { datatype: 'FP64', bytes: 8 },
  int32: { datatype: 'INT32', bytes: 4 },
  int64: { datatype: 'INT64', bytes: 8 },
  bool: { datatype: 'BOOL', bytes: 1 },
} as const;

export type OutputType = keyof typeof OUTPUT_TYPES;
export type Datatype = (typeof OUTPUT_TYPES)[OutputType]['datatype'];

export type TensorData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

/** One output for some rows: row-major, the rows are the first dimension. */
export interface RowTensor {
  readonly data: TensorData;
  readonly dims: readonly number[];
}

/** By output name. */
export type Outputs = Readonly<Record<string, RowTensor>>;

export interface OutputSpec {
  readonly name: string;
  readonly datatype: Datatype;
  /** −1 = any. */
  readonly shape: readonly number[];
}

/** A loaded model: rows of `width` float32 features in, one row out for each. */
export interface RowModel {
  readonly width: number;
  readonly outputs: readonly OutputSpec[];
  run(features: Float32Array, rows: number): Promise<Outputs>;
}

export function isOutputType(type: string): type is OutputType {
  return Object.hasOwn(OUTPUT_TYPES, type);
}

export function allocate(like: TensorData, length: number): TensorData {
  if (like instanceof Float32Array) return new Float32Array(length);
  if (like instanceof Float64Array) return new Float64Array(length);
  if (like instanceof Int32Array) return new Int32Array(length);
  if (like instanceof BigInt64Array) return new BigInt64Array(length);
  return new Uint8Array(length);
}

export function copyInto(target: TensorData, source: TensorData, offset: number): void {
  if (target instanceof BigInt64Array) {
    if (!(source instanceof BigInt64Array)) throw new TypeError('an output changed its type between two runs');
    target.set(source, offset);
    return;
  }
  if (source instanceof BigInt64Array) throw new TypeError('an output changed its type between two runs');
  target.set(source, offset);
}

// Tensors as models take and give them: the first dimension counts rows, and rows of different callers are run together.

/** Datatypes by their names in the Open Inference Protocol. `bytes`: of one element; 0 = of any length (strings). */
export const DATATYPES = {
  BOOL: { runtime: 'bool', bytes: 1, array: Uint8Array },
  UINT8: { runtime: 'uint8', bytes: 1, array: Uint8Array },
  UINT16: { runtime: 'uint16', bytes: 2, array: Uint16Array },
  UINT32: { runtime: 'uint32', bytes: 4, array: Uint32Array },
  UINT64: { runtime: 'uint64', bytes: 8, array: BigUint64Array },
  INT8: { runtime: 'int8', bytes: 1, array: Int8Array },
  INT16: { runtime: 'int16', bytes: 2, array: Int16Array },
  INT32: { runtime: 'int32', bytes: 4, array: Int32Array },
  INT64: { runtime: 'int64', bytes: 8, array: BigInt64Array },
  /** IEEE 754 half precision, its bits in a Uint16Array. */
  FP16: { runtime: 'float16', bytes: 2, array: Uint16Array },
  FP32: { runtime: 'float32', bytes: 4, array: Float32Array },
  FP64: { runtime: 'float64', bytes: 8, array: Float64Array },
  /** UTF-8 strings. */
  BYTES: { runtime: 'string', bytes: 0, array: undefined },
} as const;

export type Datatype = keyof typeof DATATYPES;
export type RuntimeType = (typeof DATATYPES)[Datatype]['runtime'];

export type NumericData =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** Strings for BYTES, a typed array for everything else. */
export type TensorData = NumericData | readonly string[];

/** One tensor of some rows: row-major, the rows are the first dimension. */
export interface RowTensor {
  readonly data: TensorData;
  readonly dims: readonly number[];
}

/** By output name. */
export type Outputs = Readonly<Record<string, RowTensor>>;

export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  /** −1 = any; the first dimension is. */
  readonly shape: readonly number[];
}

export type OutputSpec = TensorSpec;

/** Rows for a model as one buffer, so that rows of many callers are one after the other by copying. */
export interface PackedRows {
  readonly rows: number;
  /** rows × `rowBytes`: for each row its part of every input that is not BYTES, in the model's order of inputs. */
  readonly bytes: Uint8Array;
  /** rows × `rowStrings`: for each row its part of every BYTES input, in the model's order of inputs. */
  readonly strings: readonly string[];
}

/** A loaded model: rows in, one row out for each. */
export interface RowModel {
  /** Every dimension but the first is fixed. */
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly OutputSpec[];
  readonly rowBytes: number;
  readonly rowStrings: number;
  run(rows: PackedRows): Promise<Outputs>;
}

/** Where a model runs: in this process, in a process that it shares with others, or in one of its own. */
export type Place = 'here' | 'shared' | 'own';

/** A model as the gateway holds it. */
export interface HeldModel extends RowModel {
  readonly place: Place;
  /** Rows of one run at most, so that nobody else waits too long for its turn. */
  readonly runRows: number;
  /** Microseconds of a row in a full run, as measured when it was validated. */
  readonly rowMicros: number;
  /** What it was last found to be down for is told at once. The returned function ends it. */
  watch(listener: (fault: ModelFault) => void): () => void;
  release(): Promise<void>;
}

/** The process of a model died. It is started again; the gateway goes on. */
export interface ModelFault {
  readonly code: string;
  readonly message: string;
}

const BY_RUNTIME = new Map<string, Datatype>(
  Object.entries(DATATYPES).map(([datatype, { runtime }]) => [runtime, datatype as Datatype]),
);

/** Undefined: a type that is not served. */
export function datatypeOf(runtimeType: string): Datatype | undefined {
  return BY_RUNTIME.get(runtimeType);
}

/** Elements of one row. */
export function rowElements({ shape }: TensorSpec): number {
  return shape.slice(1).reduce((product, dimension) => product * dimension, 1);
}

/** Size of one packed row of these inputs. */
export function rowSize(inputs: readonly TensorSpec[]): { readonly rowBytes: number; readonly rowStrings: number } {
  let [rowBytes, rowStrings] = [0, 0];
  for (const input of inputs) {
    rowBytes += rowElements(input) * DATATYPES[input.datatype].bytes;
    if (input.datatype === 'BYTES') rowStrings += rowElements(input);
  }
  return { rowBytes, rowStrings };
}

/** `FP32 [N, 3]`, for people. */
export function describeTensor({ datatype, shape }: TensorSpec): string {
  return `${datatype} [${shape.map((dimension, index) => (index === 0 && dimension < 0 ? 'N' : dimension)).join(', ')}]`;
}

/** Why a tensor of a model cannot be served by rows, or undefined. `runtimeType`: as the runtime names it. */
export function rowsFault(runtimeType: string, shape: readonly number[]): string | undefined {
  if (datatypeOf(runtimeType) === undefined)
    return `it is ${runtimeType}: expected one of ${[...BY_RUNTIME.keys()].join(', ')}`;
  if (shape.length === 0 || shape[0] !== -1) {
    return `it has the shape [${shape.join(', ')}]: expected a first dimension of any length, which counts the rows`;
  }
  return undefined;
}

export function allocate(like: TensorData, length: number): NumericData | string[] {
  if (isStrings(like)) return new Array<string>(length).fill('');
  const constructor = like.constructor as new (length: number) => NumericData;
  return new constructor(length);
}

export function copyInto(target: NumericData | string[], source: TensorData, offset: number): void {
  if (Array.isArray(target)) {
    if (!isStrings(source)) throw changed();
    for (let index = 0; index < source.length; index += 1) target[offset + index] = source[index] ?? '';
    return;
  }
  if (isStrings(source) || source.constructor !== target.constructor) throw changed();
  (target as { set(values: NumericData, offset: number): void }).set(source, offset);
}

export function slice(data: TensorData, from: number, to: number): TensorData {
  return isStrings(data) ? data.slice(from, to) : data.subarray(from, to);
}

/** `Array.isArray` that sees that typed arrays are none. */
export function isStrings(data: TensorData): data is readonly string[] {
  return Array.isArray(data);
}

function changed(): TypeError {
  return new TypeError('an output changed its type between two runs');
}

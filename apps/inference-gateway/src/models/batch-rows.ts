// Rows of several requests become one run, and its outputs become theirs again.
import {
  allocate,
  slice,
  type NumericData,
  type Outputs,
  type PackedRows,
  type RowModel,
  type RowTensor,
} from './tensors';

/** Rows [from, to) of one request, at `at` of a run. */
export interface RowsOfRun {
  readonly waiting: { readonly packed: PackedRows; readonly rows: number };
  readonly from: number;
  readonly to: number;
  readonly at: number;
}

/** Outputs that are filled piece by piece. */
export type CollectedRows = Record<string, RowTensor & { readonly data: NumericData | string[] }>;

/** The rows of all pieces as one. */
export function together(pieces: readonly RowsOfRun[], rows: number, { rowBytes, rowStrings }: RowModel): PackedRows {
  const bytes = new Uint8Array(rows * rowBytes);
  const strings: string[] = [];
  for (const { waiting, from, to, at } of pieces) {
    const { packed } = waiting;
    const whole = from === 0 && to === waiting.rows;
    bytes.set(whole ? packed.bytes : packed.bytes.subarray(from * rowBytes, to * rowBytes), at * rowBytes);
    for (let index = from * rowStrings; index < to * rowStrings; index += 1) strings.push(packed.strings[index] ?? '');
  }
  return { rows, bytes, strings };
}

/** Throws a RangeError for outputs that are not one row for each row. */
export function checkRows(outputs: Outputs, rows: number): void {
  for (const name in outputs) {
    const tensor = outputs[name];
    if (tensor && tensor.dims[0] === rows && tensor.data.length % rows === 0) continue;
    throw new RangeError(`output "${name}" has the shape [${tensor?.dims.join(', ')}] for ${rows} rows`);
  }
}

/** The outputs of rows [at, at + count). */
export function sliceRows(outputs: Outputs, rows: number, at: number, count: number): Outputs {
  const own: Record<string, RowTensor> = {};
  for (const name in outputs) {
    const tensor = outputs[name];
    if (!tensor) continue;
    const width = tensor.data.length / rows;
    own[name] = {
      data: slice(tensor.data, at * width, (at + count) * width),
      dims: [count, ...tensor.dims.slice(1)],
    };
  }
  return own;
}

/** Room for the outputs of `rows` rows, of which `part` has some. */
export function emptyLike(part: Outputs, partRows: number, rows: number): CollectedRows {
  const all: CollectedRows = {};
  for (const name in part) {
    const tensor = part[name];
    if (!tensor) continue;
    all[name] = {
      data: allocate(tensor.data, (tensor.data.length / partRows) * rows),
      dims: [rows, ...tensor.dims.slice(1)],
    };
  }
  return all;
}

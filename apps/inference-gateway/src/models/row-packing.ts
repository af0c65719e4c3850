// Rows of several inputs in one buffer and back: see PackedRows. A model with one input that is not BYTES, the usual one,
// has rows that are packed as they are: nothing is copied.
import { DATATYPES, rowElements, type NumericData, type PackedRows, type TensorData, type TensorSpec } from './tensors';

/** One input for some rows: little-endian bytes, row-major, or strings for BYTES. */
export type InputRows = Uint8Array | readonly string[];

/** `parts` in the order of `inputs`, each complete for `rows`. */
export function packRows(inputs: readonly TensorSpec[], parts: readonly InputRows[], rows: number): PackedRows {
  const [only] = parts;
  if (parts.length === 1 && only instanceof Uint8Array) return { rows, bytes: only, strings: [] };
  const numeric = parts.filter((part) => part instanceof Uint8Array);
  const texts = parts.filter((part): part is readonly string[] => !(part instanceof Uint8Array));
  const [text] = texts;
  return {
    rows,
    bytes: numeric.length === 1 && numeric[0] ? numeric[0] : interleave(numeric, rows),
    strings: texts.length === 1 && text ? text : interleaveStrings(texts, rows),
  };
}

function interleave(parts: readonly Uint8Array[], rows: number): Uint8Array {
  const packed = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (let row = 0; row < rows; row += 1) {
    for (const part of parts) {
      const stride = part.byteLength / rows;
      packed.set(part.subarray(row * stride, (row + 1) * stride), at);
      at += stride;
    }
  }
  return packed;
}

function interleaveStrings(parts: readonly (readonly string[])[], rows: number): string[] {
  const packed: string[] = [];
  for (let row = 0; row < rows; row += 1) {
    for (const part of parts) {
      const stride = part.length / rows;
      for (let index = row * stride; index < (row + 1) * stride; index += 1) packed.push(part[index] ?? '');
    }
  }
  return packed;
}

/** Data of each input, in the order of `inputs`, as the runtime takes it. */
export function unpackRows(inputs: readonly TensorSpec[], { rows, bytes, strings }: PackedRows): TensorData[] {
  const [only] = inputs;
  if (inputs.length === 1 && only) return [only.datatype === 'BYTES' ? strings : numericData(only, bytes)];
  const rowBytes = bytes.byteLength / rows;
  const rowStrings = strings.length / rows;
  let [byteOffset, stringOffset] = [0, 0];
  return inputs.map((input) => {
    const elements = rowElements(input);
    if (input.datatype === 'BYTES') {
      const column: string[] = [];
      for (let row = 0; row < rows; row += 1) {
        const from = row * rowStrings + stringOffset;
        for (let index = from; index < from + elements; index += 1) column.push(strings[index] ?? '');
      }
      stringOffset += elements;
      return column;
    }
    const width = elements * DATATYPES[input.datatype].bytes;
    const column = new Uint8Array(width * rows);
    for (let row = 0; row < rows; row += 1) {
      const from = row * rowBytes + byteOffset;
      column.set(bytes.subarray(from, from + width), row * width);
    }
    byteOffset += width;
    return numericData(input, column);
  });
}

/** A view where the bytes lie as the type needs it, otherwise a copy. */
function numericData({ datatype }: TensorSpec, bytes: Uint8Array): NumericData {
  const { array, bytes: size } = DATATYPES[datatype];
  if (array === undefined) throw new TypeError(`${datatype} has no elements of a fixed size`);
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new array(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / size);
}

// Arrays as statement parameters in Postgres' binary format (array_send of src/backend/utils/adt/arrayfuncs.c): the driver
// passes a Buffer on as it is, while of a JavaScript array it makes escaped text, bytes as hexadecimal.
const OID = { bool: 16, bytea: 17, int8: 20, int4: 23, text: 25, float8: 701 } as const;
const HEADER_BYTES = 20;

export function int4Array(values: readonly number[]): Buffer {
  return fixedArray('int4', 4, values, (array, value, at) => array.writeInt32BE(value, at));
}

export function float8Array(values: readonly number[]): Buffer {
  return fixedArray('float8', 8, values, (array, value, at) => array.writeDoubleBE(value, at));
}

/** Whole numbers up to 2^53 in size. */
export function int8Array(values: readonly number[]): Buffer {
  return fixedArray('int8', 8, values, (array, value, at) => {
    const high = Math.floor(value / 2 ** 32);
    return array.writeUInt32BE(value - high * 2 ** 32, array.writeInt32BE(high, at));
  });
}

export function boolArray(values: readonly boolean[]): Buffer {
  return fixedArray('bool', 1, values, (array, value, at) => array.writeUInt8(value ? 1 : 0, at));
}

/** Of elements of one size; `write` gives the place behind what it wrote. */
function fixedArray<T>(
  type: keyof typeof OID,
  size: number,
  values: readonly T[],
  write: (array: Buffer, value: T, at: number) => number,
): Buffer {
  const array = arrayOf(OID[type], values.length, values.length * (4 + size), false);
  let at = HEADER_BYTES;
  for (const value of values) at = write(array, value, array.writeInt32BE(size, at));
  return array;
}

export function textArray(values: readonly (string | null)[]): Buffer {
  const sizes = values.map((value) => (value === null ? -1 : Buffer.byteLength(value)));
  const size = sizes.reduce((sum, each) => sum + 4 + Math.max(each, 0), 0);
  const array = arrayOf(OID.text, values.length, size, sizes.includes(-1));
  let at = HEADER_BYTES;
  for (const [index, value] of values.entries()) {
    at = array.writeInt32BE(sizes[index] ?? -1, at);
    if (value !== null) at += array.write(value, at, 'utf8');
  }
  return array;
}

export function byteaArray(values: readonly (Buffer | null)[]): Buffer {
  const size = values.reduce((sum, value) => sum + 4 + (value?.length ?? 0), 0);
  const array = arrayOf(OID.bytea, values.length, size, values.includes(null));
  let at = HEADER_BYTES;
  for (const value of values) {
    at = array.writeInt32BE(value?.length ?? -1, at);
    if (value) at += value.copy(array, at);
  }
  return array;
}

function arrayOf(oid: number, length: number, bytes: number, hasNulls: boolean): Buffer {
  const array = Buffer.allocUnsafe(HEADER_BYTES + bytes);
  array.writeInt32BE(1, 0); // dimensions
  array.writeInt32BE(hasNulls ? 1 : 0, 4);
  array.writeInt32BE(oid, 8);
  array.writeInt32BE(length, 12);
  array.writeInt32BE(1, 16); // the first index
  return array;
}

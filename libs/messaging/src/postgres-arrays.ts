// Arrays as statement parameters in Postgres' binary format (array_send of src/backend/utils/adt/arrayfuncs.c): the driver
// passes a Buffer on as it is, while of a JavaScript array it makes escaped text, bytes as hexadecimal.
const OID = { bytea: 17, int4: 23, text: 25 } as const;
const HEADER_BYTES = 20;

export function int4Array(values: readonly number[]): Buffer {
  const array = arrayOf(OID.int4, values.length, values.length * 8, false);
  let at = HEADER_BYTES;
  for (const value of values) {
    at = array.writeInt32BE(4, at);
    at = array.writeInt32BE(value, at);
  }
  return array;
}

export function textArray(values: readonly string[]): Buffer {
  const sizes = values.map((value) => Buffer.byteLength(value));
  const size = sizes.reduce((sum, each) => sum + 4 + each, 0);
  const array = arrayOf(OID.text, values.length, size, false);
  let at = HEADER_BYTES;
  for (const [index, value] of values.entries()) {
    at = array.writeInt32BE(sizes[index] ?? 0, at);
    at += array.write(value, at, 'utf8');
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

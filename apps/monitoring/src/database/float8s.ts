// Doubles one after the other, as Postgres' float8send gives each.
import { FLOAT8_BYTES } from '../domain/served-prediction';

/** Of doubles in the order of this machine; they are turned in place and given back. */
export function float8Bytes(values: Float64Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).swap64();
}

/** A copy: what is read from a buffer of the driver does not keep it. */
export function float8sOf(bytes: Buffer): Float64Array {
  const values = new Float64Array(bytes.length / FLOAT8_BYTES);
  const copy = Buffer.from(values.buffer);
  bytes.copy(copy);
  copy.swap64();
  return values;
}

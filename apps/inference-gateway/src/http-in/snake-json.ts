/**
 * A message's JSON as REST clients of the protocol read it: names as in the proto file, and 64-bit integers as numbers, which
 * proto3's own JSON has as strings.
 */
export function toSnakeJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toSnakeJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      WIDE.has(name) ? wide(field) : toSnakeJson(field),
    ]),
  );
}

/** Fields of 64 bits in what is answered: dimensions, counters and nanoseconds, all below 2^53. */
const WIDE = new Set([
  'shape',
  'dims',
  'count',
  'ns',
  'lastInference',
  'inferenceCount',
  'executionCount',
  'maxQueueDelayMicroseconds',
]);

function wide(field: unknown): unknown {
  return Array.isArray(field) ? field.map(Number) : Number(field);
}

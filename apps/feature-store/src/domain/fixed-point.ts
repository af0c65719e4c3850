// Inputs of aggregates as whole numbers of 1e-9: sums of them are exact, so their order cannot matter.

const UNITS_PER_ONE = 1e9;
/** Larger inputs do not fit into 64 bits of 1e-9 units; they count as missing. */
export const LARGEST_INPUT = 9.2e9;

/** Rounds a number once to units of 1e-9. Undefined for missing, infinite and out-of-range inputs. */
export function toUnits(value: number | undefined): bigint | undefined {
  if (value === undefined || !(Math.abs(value) <= LARGEST_INPUT)) return undefined;
  return BigInt(Math.round(value * UNITS_PER_ONE));
}

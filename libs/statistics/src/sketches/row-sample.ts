// A uniform sample of rows of bounded size, the same whatever the order they come in.

const MIX_1 = 0x85ebca6b;
const MIX_2 = 0xc2b2ae35;

/**
 * The `most` rows of the smallest priority (bottom-k; Cohen & Kaplan 2007): all rows, while there are no more. A priority is a
 * hash of the row's identity, so parts of a stream, sampled apart and merged in any order, give the sample of the whole. A
 * distribution function of n > k rows is off by more than ε anywhere with a probability of at most 2 exp(−2kε²) (Dvoretzky,
 * Kiefer and Wolfowitz, with Massart's constant): for 100,000 rows by 0.009 once in a million samples.
 */
export class RowSample {
  private priorities: number[] = [];
  private columns: number[][];
  private seen = 0;
  /** Priorities above this have no place any more. */
  private limit = Infinity;

  constructor(
    readonly width: number,
    readonly most: number,
  ) {
    this.columns = Array.from({ length: width }, () => []);
  }

  /** Rows that were added. */
  get rows(): number {
    return this.seen;
  }

  /** Whether every row that was added is in it. */
  get isWhole(): boolean {
    return this.seen <= this.most;
  }

  /** One value for each column. Identities are two numbers that few rows share, a time and a value say. */
  add(first: number, second: number, values: readonly number[]): void {
    this.seen += 1;
    const priority = priorityOf(first, second);
    if (priority > this.limit) return;
    this.priorities.push(priority);
    for (const [index, column] of this.columns.entries()) column.push(values[index] ?? Number.NaN);
    if (this.priorities.length >= 2 * this.most) this.shrink();
  }

  /** The other one has the same columns and bound. */
  merge(other: RowSample): void {
    if (other.width !== this.width || other.most !== this.most) {
      throw new RangeError(`a sample of ${other.width} columns and ${other.most} rows is no part of this one`);
    }
    other.shrink();
    this.seen += other.seen;
    this.limit = Math.min(this.limit, other.limit);
    for (const priority of other.priorities) this.priorities.push(priority);
    for (const [index, column] of this.columns.entries())
      for (const value of other.columns[index] ?? []) column.push(value);
    this.shrink();
  }

  /** Of a column, in the order in which they came. */
  valuesOf(column: number): readonly number[] {
    this.shrink();
    return this.columns[column] ?? [];
  }

  /** Rows that share the largest priority that has a place stay together: which came first must not matter. */
  private shrink(): void {
    if (this.priorities.length <= this.most) return;
    const limit = Float64Array.from(this.priorities).sort()[this.most - 1] ?? Infinity;
    const stays = this.priorities.map((priority) => priority <= limit);
    const kept = (values: readonly number[]): number[] => values.filter((_, index) => stays[index]);
    this.priorities = kept(this.priorities);
    this.columns = this.columns.map(kept);
    this.limit = limit;
  }
}

const bits = new Float64Array(1);
const words = new Uint32Array(bits.buffer);

/** From 0 to 2^53, of the bits of both (two finalizers of MurmurHash3). */
function priorityOf(first: number, second: number): number {
  bits[0] = first;
  let [a, b] = [words[0] ?? 0, words[1] ?? 0];
  bits[0] = second;
  a = mix(a ^ mix(words[0] ?? 0));
  b = mix(b ^ mix((words[1] ?? 0) + a));
  a = mix(a ^ b);
  return (a >>> 0) * 2 ** 21 + (b >>> 11);
}

function mix(value: number): number {
  let h = value + 0x9e3779b9;
  h = Math.imul(h ^ (h >>> 16), MIX_1);
  h = Math.imul(h ^ (h >>> 13), MIX_2);
  return h ^ (h >>> 16);
}

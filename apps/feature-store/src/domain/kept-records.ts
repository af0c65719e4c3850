// Records of one entity as the online store keeps them in memory, and windows over them. All sums are exact.
import type { AccumulatorColumn, AccumulatorPlan, AccumulatorValue } from './accumulators';

/** One record: when it happened, when it was known, and its inputs in units of 1e-9. */
export interface KeptRecord {
  readonly eventTime: number;
  readonly knownTime: number;
  /** Each input as two doubles, high · 2^32 + low: both whole, so that they add without rounding. NaN, NaN = missing. */
  readonly halves: readonly number[];
}

const TWO_32 = 4_294_967_296;
/** So many halves below 2^32 add up to less than 2^53. */
const EXACT_ADDITIONS = 1 << 20;

export function halvesOf(inputs: readonly (bigint | null)[]): number[] {
  return inputs.flatMap((input) =>
    input === null ? [NaN, NaN] : [Number(input >> 32n), Number(input & 0xffff_ffffn)],
  );
}

/** First index whose record happened after the moment; records are sorted by event time. */
export function indexAfter(records: readonly KeptRecord[], moment: number): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((records[middle]?.eventTime ?? Infinity) <= moment) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Keeps the order by event time; `more` may be in any order. */
export function insertRecords(records: KeptRecord[], more: readonly KeptRecord[]): void {
  for (const record of [...more].sort((a, b) => a.eventTime - b.eventTime)) {
    const last = records.at(-1);
    if (last === undefined || last.eventTime <= record.eventTime) records.push(record);
    else records.splice(indexAfter(records, record.eventTime), 0, record);
  }
}

export interface Fold {
  readonly values: readonly number[];
  readonly from: number;
  /** Of the same records the values are the same as of every moment in [from, until). */
  readonly until: number;
}

/**
 * Values of the plan's features as of a moment t: of the records with t − window < event time ≤ t and known time ≤ t.
 * Records sorted by event time.
 */
export function foldWindows(plan: AccumulatorPlan, records: readonly KeptRecord[], asOf: number): Fold {
  const end = indexAfter(records, asOf);
  const values = plan.finish(plan.columns.map((column) => foldColumn(column, records, end, asOf)));
  return { values, from: asOf, until: nextChange(plan, records, end, asOf) };
}

/** The first moment after `asOf` at which a record enters a window, leaves one, or becomes known in one. */
function nextChange(plan: AccumulatorPlan, records: readonly KeptRecord[], end: number, asOf: number): number {
  let next = records[end]?.eventTime ?? Infinity;
  let longest = 0;
  for (const window of plan.windows) {
    const start = indexAfter(records, asOf - window);
    if (start < end) next = Math.min(next, (records[start]?.eventTime ?? Infinity) + window);
    if (window > longest) longest = window;
  }
  for (let index = indexAfter(records, asOf - longest); index < end; index += 1) {
    const known = records[index]?.knownTime ?? -Infinity;
    if (known > asOf && known < next) next = known;
  }
  return next;
}

function foldColumn(
  { kind, input, windowMicros }: AccumulatorColumn,
  records: readonly KeptRecord[],
  end: number,
  asOf: number,
): AccumulatorValue {
  const start = indexAfter(records, asOf - windowMicros);
  const at = input === undefined ? -1 : input * 2;
  const sum = new ExactSum();
  let count = 0;
  let squares = 0n;
  let extreme: number | null = null;
  for (let index = start; index < end; index += 1) {
    const record = records[index];
    if (!record || record.knownTime > asOf) continue;
    const high = at < 0 ? 0 : (record.halves[at] ?? NaN);
    if (Number.isNaN(high)) continue;
    const low = at < 0 ? 0 : (record.halves[at + 1] ?? 0);
    count += 1;
    if (kind === 'sum' || kind === 'wholeSum') sum.add(high, low);
    else if (kind === 'sumOfSquares') squares += wholeOf(high, low) ** 2n;
    // Rounding keeps the order, so the extreme of rounded values is the rounded extreme.
    else if (kind === 'min') extreme = Math.min(extreme ?? Infinity, high * TWO_32 + low);
    else if (kind === 'max') extreme = Math.max(extreme ?? -Infinity, high * TWO_32 + low);
  }
  if (kind === 'count') return count;
  if (count === 0) return null;
  if (kind === 'sum') return Number(sum.whole());
  if (kind === 'wholeSum') return sum.whole();
  return kind === 'sumOfSquares' ? squares : extreme;
}

function wholeOf(high: number, low: number): bigint {
  return BigInt(high) * 4_294_967_296n + BigInt(low);
}

class ExactSum {
  private high = 0;
  private low = 0;
  private additions = 0;
  private before = 0n;

  add(high: number, low: number): void {
    this.high += high;
    this.low += low;
    this.additions += 1;
    if (this.additions < EXACT_ADDITIONS) return;
    this.before = this.whole();
    this.high = 0;
    this.low = 0;
    this.additions = 0;
  }

  whole(): bigint {
    return this.before + wholeOf(this.high, this.low);
  }
}

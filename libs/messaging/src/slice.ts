// A run of records that share one transaction, and how it falls apart when one of them fails.
import type { RawRecord } from './types';

export interface Slice {
  readonly records: readonly RawRecord[];
  /** The position must have reached this, or records are missing. */
  readonly start: number;
  /** The position afterwards. */
  readonly end: number;
}

/** The first `count` records, and the rest if there is one. Gaps in the log belong to what precedes them. */
export function cut(slice: Slice, count: number): [Slice, Slice | undefined] {
  const boundary = slice.records[count];
  if (boundary === undefined) return [slice, undefined];
  return [
    { records: slice.records.slice(0, count), start: slice.start, end: boundary.offset },
    { records: slice.records.slice(count), start: boundary.offset, end: slice.end },
  ];
}

/** Everything before the record at this offset, the record alone, everything after. */
export function isolate(slice: Slice, offset: number): Slice[] {
  const index = slice.records.findIndex((record) => record.offset === offset);
  if (index < 0) return halves(slice);
  const parts: Slice[] = [];
  let rest: Slice | undefined = slice;
  if (index > 0) {
    const [before, from]: [Slice, Slice | undefined] = cut(slice, index);
    parts.push(before);
    rest = from;
  }
  if (rest) {
    const [alone, after]: [Slice, Slice | undefined] = cut(rest, 1);
    parts.push(alone);
    if (after) parts.push(after);
  }
  return parts;
}

export function halves(slice: Slice): Slice[] {
  const [first, second] = cut(slice, Math.ceil(slice.records.length / 2));
  return second ? [first, second] : [first];
}

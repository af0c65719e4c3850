import type { Interval } from './intervals';

/** A proportion of one group, such as its share of positive answers, with its interval. */
export interface GroupShare {
  readonly group: string;
  readonly share: Interval;
}

export interface GroupGap {
  /** Highest − lowest, 0 to 1. */
  readonly gap: Interval;
  readonly lowest: string;
  readonly highest: string;
}

/**
 * The largest difference between groups: of shares of positive answers the demographic parity difference, of recalls the
 * equal opportunity difference, as fairlearn has them (method "between_groups"). The interval is Newcombe's for two
 * independent proportions (1998, Statistics in Medicine 17, 873–890, method 10), from the groups' own intervals (Wilson's);
 * it takes the two groups as chosen beforehand, so with many groups without any difference the gap is above 0 by chance.
 * Groups without a share are left out; undefined with fewer than two.
 */
export function largestGap(groups: readonly GroupShare[]): GroupGap | undefined {
  const known = groups.filter(({ share }) => !Number.isNaN(share.value));
  const [first, ...others] = known;
  if (!first || others.length === 0) return undefined;
  const highest = others.reduce((most, one) => (one.share.value > most.share.value ? one : most), first);
  const lowest = others.reduce((least, one) => (one.share.value < least.share.value ? one : least), first);
  const [a, b] = [highest.share, lowest.share];
  const value = a.value - b.value;
  return {
    gap: {
      value,
      low: value - Math.hypot(a.value - a.low, b.high - b.value),
      high: Math.min(value + Math.hypot(a.high - a.value, b.value - b.low), 1),
    },
    lowest: lowest.group,
    highest: highest.group,
  };
}

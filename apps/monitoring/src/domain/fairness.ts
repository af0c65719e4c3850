// How far the groups of each slice lie apart in what they are answered, and in what they are rightly answered.
import { largestGap, type GroupGap } from '@headrace/statistics';
import { MISSING, OTHER, POSITIVE_SHARE, type SliceGroup } from './slices';

export interface FairnessGap extends GroupGap {
  readonly slice: string;
  readonly measure: 'demographic_parity_difference' | 'equal_opportunity_difference';
}

const MEASURES = [
  ['demographic_parity_difference', POSITIVE_SHARE],
  ['equal_opportunity_difference', 'recall'],
] as const;

/** Between declared groups that have their minimum sample; a slice with fewer than two of them has none. */
export function fairnessOf(groups: readonly SliceGroup[]): FairnessGap[] {
  const declared = groups.filter(({ group }) => group !== OTHER && group !== MISSING);
  return [...new Set(declared.map(({ slice }) => slice))].flatMap((slice) =>
    MEASURES.flatMap(([measure, of]): FairnessGap[] => {
      const shares = declared.flatMap((one) => {
        const share = one.slice === slice ? one.measures[of] : undefined;
        return share === undefined ? [] : [{ group: one.group, share }];
      });
      const found = largestGap(shares);
      return found ? [{ slice, measure, ...found }] : [];
    }),
  );
}

// The same unit (a customer, a device) is answered by the same version for as long as a rollout lasts.
import type { Weighted } from './weighted-round-robin';

/**
 * Where a unit stands in [0, 1), the same in every process: FNV-1a over UTF-16 code units, then MurmurHash3's finaliser,
 * without which ids that differ in their last digits alone would stand close together. The salt (the rollout) keeps the
 * same units from being the first ones of every rollout.
 */
export function standingOf(unit: string, salt: string): number {
  let hash = 0x811c9dc5;
  for (const text of [salt, '\n', unit]) {
    for (let index = 0; index < text.length; index += 1) {
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    }
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000;
}

/**
 * `choices`: the champion first. The others take their shares of [0, 1) from the beginning and the champion has the rest:
 * when a share grows, only the units that it grows by change sides.
 */
export function assign<T extends Weighted>(standing: number, choices: readonly [T, ...T[]]): T {
  const total = choices.reduce((sum, { weight }) => sum + weight, 0);
  let end = 0;
  for (const choice of choices.slice(1)) {
    end += choice.weight / total;
    if (standing < end) return choice;
  }
  return choices[0];
}

/**
 * p-values adjusted for the false discovery rate: Benjamini & Hochberg (1995), JRSS B 57(1), 289–300, as
 * scipy.stats.false_discovery_control. Rejecting those at or below q keeps the expected share of false alarms among the
 * alarms at q, for independent or positively dependent tests. NaN (nothing could be said) stays NaN and is no test.
 */
export function benjaminiHochberg(pValues: readonly number[]): number[] {
  const order = pValues.flatMap((p, index) => (Number.isNaN(p) ? [] : [index]));
  order.sort((a, b) => (pValues[b] ?? 0) - (pValues[a] ?? 0));
  const adjusted = new Array<number>(pValues.length).fill(Number.NaN);
  let least = 1;
  for (const [position, index] of order.entries()) {
    const rank = order.length - position;
    least = Math.min(least, ((pValues[index] ?? 0) * order.length) / rank);
    adjusted[index] = least;
  }
  return adjusted;
}

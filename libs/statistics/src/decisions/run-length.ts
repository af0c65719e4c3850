/** More states than this are not tried. */
const MOST_STATES = 20_000;

/**
 * Expected number of windows until "at least k of the last n crossed" stands for the first time, when each window crosses
 * on its own with probability p (a stationary stream: the expected run between false alarms, ARL₀). Exact: a Markov chain
 * over the places of the crossings within the last n − 1 windows. Times the length of a window it is a time. Infinity for
 * p = 0. Windows that are alike because neighbours share data alarm more often than this says.
 * Throws a RangeError when k of n is too large to compute.
 */
export function expectedRunLength(p: number, rule: { readonly k: number; readonly n: number }): number {
  const { k, n } = rule;
  if (!(p >= 0 && p <= 1)) throw new RangeError(`run length: expected a probability, got ${p}`);
  if (p === 0) return Infinity;
  if (k <= 1) return 1 / p;
  const states = statesOf(k, n);
  let shares = new Float64Array(states.length);
  shares[0] = 1;
  let [expected, before] = [0, 0];
  for (;;) {
    const next = new Float64Array(states.length);
    let [standing, alarmed] = [0, 0];
    for (const [index, { hit, miss }] of states.entries()) {
      const share = shares[index] ?? 0;
      standing += share;
      next[miss] = (next[miss] ?? 0) + share * (1 - p);
      if (hit === undefined) alarmed += share * p;
      else next[hit] = (next[hit] ?? 0) + share * p;
    }
    if (standing === 0) return expected;
    const hazard = alarmed / standing;
    // Once the hazard of a window is constant the rest of the run is geometric.
    if (hazard > 0 && Math.abs(hazard - before) <= 1e-13 * hazard) return expected + standing / hazard;
    expected += standing;
    before = hazard;
    shares = next;
  }
}

interface State {
  /** State after a crossing; undefined: the rule stands. */
  readonly hit: number | undefined;
  readonly miss: number;
}

/** A state is the ages of the crossings within the last n − 1 windows, youngest first: fewer than k. The first has none. */
function statesOf(k: number, n: number): State[] {
  const numbers = new Map<string, number>([['', 0]]);
  const found: number[][] = [[]];
  const numberOf = (ages: number[]): number => {
    const name = ages.join();
    const known = numbers.get(name);
    if (known !== undefined) return known;
    if (found.length >= MOST_STATES) throw new RangeError(`run length: ${k} of ${n} windows is too large to compute`);
    found.push(ages);
    numbers.set(name, found.length - 1);
    return found.length - 1;
  };
  const states: State[] = [];
  for (let index = 0; index < found.length; index += 1) {
    const older = (found[index] ?? []).map((age) => age + 1).filter((age) => age < n);
    const stands = (found[index] ?? []).length + 1 >= k;
    states.push({ hit: stands ? undefined : numberOf([1, ...older]), miss: numberOf(older) });
  }
  return states;
}

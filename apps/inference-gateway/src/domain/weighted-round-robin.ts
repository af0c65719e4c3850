/** One of several, with its share. */
export interface Weighted {
  /** Not negative; at least one is positive. */
  readonly weight: number;
}

/**
 * Smooth weighted round-robin, as nginx has it: after n turns each one was chosen n × weight ÷ total times, ± 1, and the
 * choices are spread evenly instead of coming in runs.
 */
export class WeightedRoundRobin<T extends Weighted> {
  private readonly current: number[];
  private readonly total: number;

  constructor(private readonly choices: readonly [T, ...T[]]) {
    this.current = choices.map(() => 0);
    this.total = choices.reduce((sum, { weight }) => sum + weight, 0);
    if (!(this.total > 0) || choices.some(({ weight }) => weight < 0)) {
      throw new RangeError(
        `weights ${choices.map(({ weight }) => weight).join(', ')}: expected none negative, one positive`,
      );
    }
  }

  next(): T {
    let best = 0;
    for (let index = 0; index < this.choices.length; index += 1) {
      const value = (this.current[index] ?? 0) + (this.choices[index]?.weight ?? 0);
      this.current[index] = value;
      if (value > (this.current[best] ?? 0)) best = index;
    }
    this.current[best] = (this.current[best] ?? 0) - this.total;
    return this.choices[best] ?? this.choices[0];
  }
}

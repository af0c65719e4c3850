/**
 * Mulberry32: 32 bits of state, uniform numbers in [0, 1) with 32 bits each, the same in every language. For draws that
 * must be the same again (folds, bootstrap, the window sample of KSWIN), not for secrets.
 */
export class Random {
  /** What the next numbers depend on; a generator made with it goes on from here. */
  state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** Whole number in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** `count` different whole numbers in [0, population), in the order drawn (Fisher–Yates from the front). */
  sample(population: number, count: number): number[] {
    const numbers = Array.from({ length: population }, (_, index) => index);
    for (let i = 0; i < count; i += 1) {
      const j = i + this.below(population - i);
      const swap = numbers[i] ?? 0;
      numbers[i] = numbers[j] ?? 0;
      numbers[j] = swap;
    }
    return numbers.slice(0, count);
  }
}

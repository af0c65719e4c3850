// What a transaction did, counted only after its commit.
import { metrics } from './metrics';

export class Observations {
  /** Of each type and outcome; a registry takes as long to add one as to add a thousand. */
  private readonly outcomes = new Map<string, { readonly type: string; readonly outcome: string; count: number }>();
  private readonly deadLetters: string[] = [];
  /** Event times of each type, microseconds. */
  private readonly times = new Map<string, number[]>();

  constructor(
    private readonly group: string,
    private readonly tell?: (type: string, outcome: string, count: number) => void,
  ) {}

  settled(type: string, outcome: string, timeMicros?: number): void {
    this.count(type, outcome);
    if (timeMicros === undefined) return;
    const times = this.times.get(type);
    if (times) times.push(timeMicros);
    else this.times.set(type, [timeMicros]);
  }

  deadLettered(type: string, reason: string): void {
    this.count(type, 'dead');
    this.deadLetters.push(reason);
  }

  commit(): void {
    const { group } = this;
    const now = Date.now() * 1000;
    for (const { type, outcome, count } of this.outcomes.values()) {
      metrics.handled.inc({ group, type, outcome }, count);
      this.tell?.(type, outcome, count);
    }
    for (const reason of this.deadLetters) metrics.deadLetters.inc({ group, reason });
    for (const [type, times] of this.times) {
      const age = metrics.age.labels(group, type);
      for (const timeMicros of times) age.observe(Math.max(0, now - timeMicros) / 1e6);
    }
  }

  private count(type: string, outcome: string): void {
    const key = `${type} ${outcome}`;
    const known = this.outcomes.get(key);
    if (known) known.count += 1;
    else this.outcomes.set(key, { type, outcome, count: 1 });
  }
}

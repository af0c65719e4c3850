// What a transaction did, counted only after its commit.
import { metrics } from './metrics';

interface Observation {
  readonly type: string;
  readonly outcome: string;
  readonly timeMicros: number | undefined;
  readonly deadLetter: string | undefined;
}

export class Observations {
  private readonly all: Observation[] = [];

  constructor(private readonly group: string) {}

  settled(type: string, outcome: string, timeMicros?: number): void {
    this.all.push({ type, outcome, timeMicros, deadLetter: undefined });
  }

  deadLettered(type: string, reason: string): void {
    this.all.push({ type, outcome: 'dead', timeMicros: undefined, deadLetter: reason });
  }

  commit(): void {
    const { group } = this;
    const now = Date.now() * 1000;
    for (const { type, outcome, timeMicros, deadLetter } of this.all) {
      metrics.handled.inc({ group, type, outcome });
      if (deadLetter !== undefined) metrics.deadLetters.inc({ group, reason: deadLetter });
      if (timeMicros !== undefined) metrics.age.observe({ group, type }, Math.max(0, now - timeMicros) / 1e6);
    }
  }
}

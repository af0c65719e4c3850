// What a transaction did, counted only after its commit.
import { exemplarOf } from '@headrace/tracing';
import { metrics } from './metrics';

/** Of the events of one type: when they were said; the trace of the oldest. */
interface Times {
  readonly micros: number[];
  oldestMicros: number;
  oldestTrace: string | undefined;
}

export class Observations {
  /** Of each type and outcome; a registry takes as long to add one as to add a thousand. */
  private readonly outcomes = new Map<string, { readonly type: string; readonly outcome: string; count: number }>();
  private readonly deadLetters: string[] = [];
  private readonly times = new Map<string, Times>();

  constructor(
    private readonly group: string,
    private readonly tell?: (type: string, outcome: string, count: number) => void,
  ) {}

  settled(type: string, outcome: string): void {
    this.count(type, outcome);
  }

  /** The effect of an event is in the transaction. */
  done(
    type: string,
    { timeMicros, traceparent }: { readonly timeMicros: number; readonly traceparent?: string },
  ): void {
    this.count(type, 'done');
    let times = this.times.get(type);
    if (!times) this.times.set(type, (times = { micros: [], oldestMicros: Infinity, oldestTrace: undefined }));
    times.micros.push(timeMicros);
    if (timeMicros >= times.oldestMicros) return;
    times.oldestMicros = timeMicros;
    times.oldestTrace = traceparent;
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
    for (const [type, { micros, oldestMicros, oldestTrace }] of this.times) {
      const secondsSince = (timeMicros: number): number => Math.max(0, now - timeMicros) / 1e6;
      const exemplarLabels = exemplarOf(oldestTrace);
      let told = exemplarLabels === undefined;
      const age = metrics.age.labels(group, type);
      for (const timeMicros of micros) {
        const value = secondsSince(timeMicros);
        // One of a batch is enough: the slowest is the one that is asked about.
        if (exemplarLabels && !told && timeMicros === oldestMicros) {
          metrics.age.observe({ labels: { group, type }, value, exemplarLabels });
          told = true;
        } else age.observe(value);
      }
    }
  }

  private count(type: string, outcome: string): void {
    const key = `${type} ${outcome}`;
    const known = this.outcomes.get(key);
    if (known) known.count += 1;
    else this.outcomes.set(key, { type, outcome, count: 1 });
  }
}

// Features of many concurrent requests in few calls. A call answers when its slowest row is ready, so rows are not thrown
// together blindly: what the watermark has passed already goes in large, quick calls; what has to wait for it goes in
// small ones of neighbouring moments, many of them at the same time (a call that waits costs nothing).
import { performance } from 'node:perf_hooks';
import type {
  FeatureRow,
  FeatureVector,
  GetOnlineFeaturesRequest,
  GetOnlineFeaturesResponse,
} from '@headrace/contracts/proto/features/v1/features_service';
import type { InputPlan } from '../domain/input-plan';

export type FetchFailure =
  /** Not in time. */
  | { readonly kind: 'late' }
  /** The feature store does not answer, or its circuit is open. */
  | { readonly kind: 'away'; readonly message: string }
  /** It says that this row cannot be asked. */
  | { readonly kind: 'refused'; readonly message: string };

export type FetchOutcome = { readonly kind: 'features'; readonly vector: FeatureVector } | FetchFailure;

/** One call to the feature store; failures come as outcomes. */
export interface FeatureStorePort {
  fetch(
    request: GetOnlineFeaturesRequest,
    timeoutMs: number,
    /** W3C trace contexts of the requests that the rows belong to. */
    traces: readonly string[],
  ): Promise<{ readonly kind: 'answer'; readonly response: GetOnlineFeaturesResponse } | FetchFailure>;
}

export interface FetcherLimits {
  readonly maxRows: number;
  /** Calls under way whose rows are known to be ready. */
  readonly quickCalls: number;
  /** A call costs as much as many rows: beside one that is under way another begins with so many rows … */
  readonly companyRows: number;
  /** … or when a row has waited so long for the one under way. */
  readonly patienceMs: number;
  /** Calls under way that wait for a watermark. */
  readonly waitingCalls: number;
  /** Rows that wait go together when the watermark passes them within so long of each other, at its pace. */
  readonly waitingSpreadMs: number;
}

export const defaultFetcherLimits: FetcherLimits = {
  maxRows: 256,
  quickCalls: 4,
  companyRows: 64,
  patienceMs: 2,
  waitingCalls: 128,
  waitingSpreadMs: 20,
};

interface Row {
  readonly row: FeatureRow;
  readonly trace: string | undefined;
  readonly since: number;
  readonly deadline: number;
  readonly timer: NodeJS.Timeout;
  settled: boolean;
  readonly settle: (outcome: FetchOutcome) => void;
}

/** The answer's own deadline lies behind the one that the store is told, so that a late store still says so itself. */
const CALL_MARGIN_MS = 250;

export class FeatureFetcher {
  private readonly queues = new WeakMap<InputPlan, FeatureQueue>();

  constructor(
    private readonly store: FeatureStorePort,
    private readonly limits: FetcherLimits = defaultFetcherLimits,
  ) {}

  /** Never rejects, never takes longer than `timeoutMs`. */
  fetch(plan: InputPlan, row: FeatureRow, timeoutMs: number, trace?: string): Promise<FetchOutcome> {
    let queue = this.queues.get(plan);
    if (!queue) {
      queue = new FeatureQueue(plan, this.store, this.limits);
      this.queues.set(plan, queue);
    }
    return queue.fetch(row, timeoutMs, trace);
  }
}

class FeatureQueue {
  private waiting: Row[] = [];
  private scheduled = false;
  private impatience: NodeJS.Timeout | undefined;
  private quick = 0;
  private patient = 0;
  /** The features are exact up to here: highest watermark that an answer named. */
  private watermark = -Infinity;
  private readonly pace = new Pace();

  constructor(
    private readonly plan: InputPlan,
    private readonly store: FeatureStorePort,
    private readonly limits: FetcherLimits,
  ) {}

  fetch(row: FeatureRow, timeoutMs: number, trace: string | undefined): Promise<FetchOutcome> {
    return new Promise((resolve) => {
      const since = performance.now();
      const entry: Row = {
        row,
        trace,
        since,
        deadline: since + timeoutMs,
        timer: setTimeout(() => entry.settle({ kind: 'late' }), timeoutMs),
        settled: false,
        settle: (outcome) => {
          if (entry.settled) return;
          entry.settled = true;
          clearTimeout(entry.timer);
          resolve(outcome);
        },
      };
      this.waiting.push(entry);
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.send();
    });
  }

  private send(): void {
    const ready: Row[] = [];
    const early: Row[] = [];
    for (const entry of this.waiting) if (!entry.settled) (this.isReady(entry.row) ? ready : early).push(entry);
    early.sort((a, b) => a.row.asOfMicros - b.row.asOfMicros);
    while (this.mayCall(ready)) {
      const rows = ready.splice(0, this.limits.maxRows);
      this.quick += 1;
      void this.call(rows).finally(() => {
        this.quick -= 1;
        if (this.waiting.length > 0) this.schedule();
      });
    }
    while (early.length > 0 && this.patient < this.limits.waitingCalls) {
      const rows = early.splice(0, this.groupSize(early));
      this.patient += 1;
      void this.call(rows).finally(() => {
        this.patient -= 1;
        if (this.waiting.length > 0) this.schedule();
      });
    }
    this.waiting = [...ready, ...early];
    if (ready.length > 0 && this.quick < this.limits.quickCalls) {
      this.impatience ??= setTimeout(() => {
        this.impatience = undefined;
        this.schedule();
      }, this.limits.patienceMs);
    }
  }

  private mayCall(ready: readonly Row[]): boolean {
    const [first] = ready;
    const { quickCalls, companyRows, patienceMs } = this.limits;
    if (!first || this.quick >= quickCalls) return false;
    return this.quick === 0 || ready.length >= companyRows || performance.now() - first.since >= patienceMs;
  }

  private isReady({ asOfMicros }: FeatureRow): boolean {
    // "Now" (0) is whatever is known: nobody waits for it.
    return asOfMicros <= this.watermark || asOfMicros === 0;
  }

  /** Of rows in the order of their moments: how many of the first go together. */
  private groupSize(early: readonly Row[]): number {
    const { maxRows, waitingCalls, waitingSpreadMs } = this.limits;
    const first = early[0];
    if (!first) return 1;
    const last = first.row.asOfMicros + this.pace.perMs * waitingSpreadMs;
    const beyond = early.findIndex(({ row }) => row.asOfMicros > last);
    const near = beyond < 0 ? early.length : beyond;
    const fair = Math.ceil(early.length / (waitingCalls - this.patient));
    return Math.min(maxRows, Math.max(near, fair));
  }

  private async call(rows: readonly Row[]): Promise<void> {
    const waitMs = Math.max(1, ...rows.map(({ deadline }) => deadline - performance.now()));
    const answer = await this.store.fetch(
      {
        features: [...this.plan.features],
        rows: rows.map(({ row }) => row),
        maxWaitMicros: Math.round(waitMs * 1_000),
      },
      waitMs + CALL_MARGIN_MS,
      rows.flatMap(({ trace }) => (trace === undefined ? [] : [trace])),
    );
    if (answer.kind === 'refused' && rows.length > 1) {
      // One row of many is at fault: each for itself, so that it fails nobody else.
      await Promise.all(rows.map((row) => this.call([row])));
      return;
    }
    if (answer.kind !== 'answer') {
      for (const row of rows) row.settle(answer);
      return;
    }
    const vectors = answer.response.rows;
    if (vectors.length !== rows.length) {
      const message = `the feature store gave ${vectors.length} rows for ${rows.length}`;
      for (const row of rows) row.settle({ kind: 'away', message });
      return;
    }
    rows.forEach((row, index) => {
      const vector = vectors[index];
      if (!vector) return;
      if (vector.watermarkMicros > this.watermark) {
        this.watermark = vector.watermarkMicros;
        this.pace.observe(this.watermark, performance.now());
      }
      row.settle({ kind: 'features', vector });
    });
  }
}

const PACE_WINDOW_MS = 1_000;

/** How fast a watermark moves: microseconds of event time in a millisecond of the clock (1,000 in life). */
class Pace {
  perMs = 0;
  private from: { readonly watermark: number; readonly atMs: number } | undefined;

  observe(watermark: number, atMs: number): void {
    if (!this.from) this.from = { watermark, atMs };
    const passedMs = atMs - this.from.atMs;
    if (passedMs < PACE_WINDOW_MS / 10) return;
    this.perMs = (watermark - this.from.watermark) / passedMs;
    if (passedMs > PACE_WINDOW_MS) this.from = { watermark, atMs };
  }
}

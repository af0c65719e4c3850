import { performance } from 'node:perf_hooks';
import { setImmediate as turnOfTheLoop, setTimeout as delay } from 'node:timers/promises';
import {
  FeatureStatus,
  type FeatureRow,
  type FeatureVector,
  type GetOnlineFeaturesRequest,
} from '@headrace/contracts/proto/features/v1/features_service';
import { aColumn } from '../../test/builders';
import { planInputs } from '../domain/input-plan';
import { defaultFetcherLimits, FeatureFetcher, type FeatureStorePort, type FetchOutcome } from './feature-fetcher';

const plan = planInputs([aColumn('mean_delay')]);

/** Answers a call when its watermark has passed every row, as the real one does. The value of a row is its moment. */
class FakeFeatureStore implements FeatureStorePort {
  readonly calls: GetOnlineFeaturesRequest[] = [];
  readonly traces: (readonly string[])[] = [];
  inFlight = 0;
  mostInFlight = 0;
  private waiting: (() => void)[] = [];

  constructor(private watermark: number) {}

  advanceTo(watermark: number): void {
    this.watermark = watermark;
    for (const wake of this.waiting.splice(0)) wake();
  }

  async fetch(
    request: GetOnlineFeaturesRequest,
    _timeoutMs: number,
    traces: readonly string[],
  ): ReturnType<FeatureStorePort['fetch']> {
    this.calls.push(request);
    this.traces.push(traces);
    this.inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    try {
      const refused = request.rows.find(({ entities }) => entities['origin'] === 'NOWHERE');
      if (refused) return { kind: 'refused', message: 'unknown origin' };
      const deadline = performance.now() + request.maxWaitMicros / 1_000;
      while (request.rows.some((row) => row.asOfMicros > this.watermark) && performance.now() < deadline) {
        const woken = new Promise<void>((resolve) => this.waiting.push(resolve));
        await Promise.race([woken, delay(deadline - performance.now(), undefined, { ref: false })]);
      }
      await delay(1);
      return { kind: 'answer', response: { rows: request.rows.map((row) => this.vectorOf(row)) } };
    } finally {
      this.inFlight -= 1;
    }
  }

  private vectorOf({ asOfMicros }: FeatureRow): FeatureVector {
    const status = asOfMicros > this.watermark ? FeatureStatus.STALE : FeatureStatus.PRESENT;
    return { values: [asOfMicros], statuses: [status], asOfMicros, watermarkMicros: this.watermark };
  }
}

function aRow(asOfMicros: number, origin = 'ATL'): FeatureRow {
  return { entities: { origin }, request: {}, asOfMicros };
}

function valueOf(outcome: FetchOutcome): number | string | undefined {
  return outcome.kind === 'features' ? outcome.vector.values[0] : outcome.kind;
}

describe('fetching features for many requests', () => {
  it('puts concurrent requests into few calls and gives each its own row', async () => {
    const store = new FakeFeatureStore(1_000);
    const fetcher = new FeatureFetcher(store);
    await fetcher.fetch(plan, aRow(1), 1_000);
    const moments = Array.from({ length: 1_000 }, (_, index) => 1 + ((index * 7) % 1_000));
    const outcomes = await Promise.all(moments.map((moment) => fetcher.fetch(plan, aRow(moment), 1_000)));
    expect(outcomes.map(valueOf)).toEqual(moments);
    expect(store.calls.length).toBeLessThanOrEqual(1 + Math.ceil(1_000 / defaultFetcherLimits.maxRows));
    expect(Math.max(...store.calls.map(({ rows }) => rows.length))).toBe(defaultFetcherLimits.maxRows);
  });

  it('tells the store on whose behalf a call is made', async () => {
    const store = new FakeFeatureStore(1_000);
    const fetcher = new FeatureFetcher(store);
    const trace = (nth: number): string => `00-${'a'.repeat(32)}-${String(nth).padStart(16, '0')}-01`;
    await Promise.all([1, 2, 3].map((nth) => fetcher.fetch(plan, aRow(0), 1_000, nth === 2 ? undefined : trace(nth))));
    expect(store.traces).toEqual([[trace(1), trace(3)]]);
  });

  it('keeps few quick calls under way', async () => {
    const store = new FakeFeatureStore(1_000);
    const fetcher = new FeatureFetcher(store, { ...defaultFetcherLimits, maxRows: 8, quickCalls: 2 });
    await fetcher.fetch(plan, aRow(1), 1_000);
    await Promise.all(Array.from({ length: 200 }, () => fetcher.fetch(plan, aRow(5), 1_000)));
    expect(store.mostInFlight).toBe(2);
  });

  it('begins a second call beside one under way with company, or for a row that has waited long enough', async () => {
    const store = new FakeFeatureStore(1_000);
    const stuckCall = new AbortController();
    const asked: number[] = [];
    const stuck: FeatureStorePort = {
      fetch: (request, ...rest) => {
        asked.push(request.rows.length);
        if (asked.length > 1) return store.fetch(request, ...rest);
        return new Promise((resolve) =>
          stuckCall.signal.addEventListener('abort', () => resolve({ kind: 'away', message: 'stuck' })),
        );
      },
    };
    const limits = { ...defaultFetcherLimits, companyRows: 3, patienceMs: 60_000 };
    const patient = new FeatureFetcher(stuck, limits);
    const fetch = (fetcher: FeatureFetcher) => fetcher.fetch(plan, aRow(0), 60_000);
    const first = [fetch(patient)];
    await turnOfTheLoop();
    const waiting = [fetch(patient), fetch(patient)];
    await turnOfTheLoop();
    expect(asked).toEqual([1]);
    expect((await Promise.all([...waiting, fetch(patient)])).map(valueOf)).toEqual([0, 0, 0]);
    expect(asked).toEqual([1, 3]);

    asked.length = 0;
    const impatient = new FeatureFetcher(stuck, { ...limits, patienceMs: 1 });
    first.push(fetch(impatient));
    await turnOfTheLoop();
    expect(valueOf(await fetch(impatient))).toBe(0);
    expect(asked).toEqual([1, 1]);
    stuckCall.abort();
    expect((await Promise.all(first)).map(valueOf)).toEqual(['away', 'away']);
  });

  it('does not let a row that waits for the watermark hold up those that are ready', async () => {
    const store = new FakeFeatureStore(1_000);
    const fetcher = new FeatureFetcher(store);
    await fetcher.fetch(plan, aRow(1), 1_000);
    const early = fetcher.fetch(plan, aRow(5_000), 60_000);
    const ready = await Promise.all([10, 20, 1_000].map((moment) => fetcher.fetch(plan, aRow(moment), 60_000)));
    expect(ready.map(valueOf)).toEqual([10, 20, 1_000]);
    store.advanceTo(5_000);
    expect(valueOf(await early)).toBe(5_000);
  });

  it('holds up no row that waits by one that waits for longer', async () => {
    const store = new FakeFeatureStore(0);
    const fetcher = new FeatureFetcher(store);
    const answered: number[] = [];
    const all = Array.from({ length: 64 }, async (_, index) => {
      const outcome = await fetcher.fetch(plan, aRow(1 + index), 60_000);
      answered.push(Number(valueOf(outcome)));
    });
    for (let watermark = 1; watermark <= 64; watermark += 1) {
      await delay(2);
      store.advanceTo(watermark);
    }
    await Promise.all(all);
    expect(answered).toEqual([...answered].sort((a, b) => a - b));
    expect(store.calls).toHaveLength(64);
  });

  it('puts waiting rows together that the watermark passes at nearly the same time', async () => {
    const store = new FakeFeatureStore(1_000_000);
    const fetcher = new FeatureFetcher(store);
    await fetcher.fetch(plan, aRow(1), 60_000);
    // In 150 ms by 15 s of event time: 100 s in a second.
    await delay(150);
    store.advanceTo(16_000_000);
    await fetcher.fetch(plan, aRow(16_000_000), 60_000);
    const before = store.calls.length;
    const moments = [20_000_000, 20_100_000, 20_200_000, 90_000_000];
    const all = Promise.all(moments.map((moment) => fetcher.fetch(plan, aRow(moment), 60_000)));
    await delay(1);
    store.advanceTo(90_000_000);
    expect((await all).map(valueOf)).toEqual(moments);
    expect(store.calls.slice(before).map(({ rows }) => rows.length)).toEqual([3, 1]);
  });

  it('shares the calls that are left when more rows wait than there are calls', async () => {
    const store = new FakeFeatureStore(0);
    const fetcher = new FeatureFetcher(store, { ...defaultFetcherLimits, waitingCalls: 4 });
    const all = Promise.all(Array.from({ length: 64 }, (_, index) => fetcher.fetch(plan, aRow(1 + index), 60_000)));
    await delay(5);
    store.advanceTo(64);
    expect((await all).map(valueOf)).toEqual(Array.from({ length: 64 }, (_, index) => 1 + index));
    expect(store.calls.map(({ rows }) => rows.length)).toEqual([16, 16, 16, 16]);
  });

  it('asks for any number of requests as of now in one call', async () => {
    const store = new FakeFeatureStore(1_000);
    const fetcher = new FeatureFetcher(store);
    await Promise.all(Array.from({ length: 100 }, () => fetcher.fetch(plan, aRow(0), 1_000)));
    expect(store.calls.map(({ rows }) => rows.length)).toEqual([100]);
  });

  it('says late at the deadline, even when the store does not answer at all', async () => {
    const silent: FeatureStorePort = { fetch: () => new Promise(() => undefined) };
    const from = performance.now();
    expect(await new FeatureFetcher(silent).fetch(plan, aRow(5), 30)).toEqual({ kind: 'late' });
    expect(performance.now() - from).toBeGreaterThanOrEqual(25);
  });

  it('refuses only the row that the store refuses', async () => {
    const store = new FakeFeatureStore(1_000);
    const fetcher = new FeatureFetcher(store);
    const rows = [aRow(1), aRow(2, 'NOWHERE'), aRow(3)];
    const outcomes = await Promise.all(rows.map((row) => fetcher.fetch(plan, row, 1_000)));
    expect(outcomes.map(valueOf)).toEqual([1, 'refused', 3]);
  });

  it('passes on that the store is away', async () => {
    const away: FeatureStorePort = { fetch: () => Promise.resolve({ kind: 'away', message: 'no connection' }) };
    const fetcher = new FeatureFetcher(away);
    const outcomes = await Promise.all([fetcher.fetch(plan, aRow(1), 1_000), fetcher.fetch(plan, aRow(2), 1_000)]);
    expect(outcomes).toEqual([
      { kind: 'away', message: 'no connection' },
      { kind: 'away', message: 'no connection' },
    ]);
  });

  it('does not trust an answer with another number of rows', async () => {
    const wrong: FeatureStorePort = { fetch: () => Promise.resolve({ kind: 'answer', response: { rows: [] } }) };
    expect(await new FeatureFetcher(wrong).fetch(plan, aRow(1), 1_000)).toMatchObject({ kind: 'away' });
  });
});

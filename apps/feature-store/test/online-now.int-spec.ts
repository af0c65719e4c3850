// Reads as of now, and what makes memory begin again, on the real Kafka and Postgres.
import { FeatureStatus } from '@headrace/contracts/proto/features/v1/features_service';
import { eventually, uniqueName } from '@headrace/testing';
import { DataSource } from 'typeorm';
import { noteRecords, readProgress } from '../src/database/progress.repository';
import { compiled, everyAggregate, featureView } from './builders';
import { landings, oracleOf, refsOf } from './landings';
import { featureAt } from './oracle';
import { FeatureStoreSite, RunningFeatureStore, type Arrival } from './running-feature-store';

describe('online reads as of now', () => {
  jest.setTimeout(120_000);
  let site: FeatureStoreSite;
  let store: RunningFeatureStore;

  beforeAll(async () => {
    site = await FeatureStoreSite.create();
    store = await RunningFeatureStore.start(site);
  });
  afterAll(async () => {
    await store.stop();
    await site.remove();
  });

  it('answers "now" from what is known, with or without a watermark, and follows what comes', async () => {
    const arrivalsStream = uniqueName('arrivals');
    const features = everyAggregate('record.delay', ['3h', '24h']);
    const byOrigin = featureView({ source: arrivalsStream, features }, uniqueName('by-origin'));
    await store.apply(byOrigin);
    const view = compiled(byOrigin);
    const arrivals = landings(200, 21).map((arrival, index) => {
      const at = Date.now() * 1_000 - 60_000_000 + index;
      return { ...arrival, eventTime: at, knownTime: at };
    });
    // As of the moment that an answer names, of the records that are there.
    const expectNow = async (known: readonly Arrival[]): Promise<void> => {
      const before = Date.now() * 1_000;
      const rows = ['ATL', 'nowhere'].map((origin) => ({ asOfMicros: 0, entities: { origin } }));
      const answers = await store.read(refsOf(view), rows);
      for (const [index, { asOfMicros, values, statuses }] of answers.entries()) {
        expect(before - asOfMicros).toBeLessThanOrEqual(1_000_000);
        expect(statuses).not.toContain(FeatureStatus.STALE);
        const records = oracleOf(view, known);
        const expected = [...view.features.values()].map((feature) =>
          featureAt(records, feature, rows[index]?.entities.origin ?? '', asOfMicros),
        );
        expect(values).toEqual(expected);
      }
    };
    await store.arrived(arrivalsStream, arrivals.slice(0, 100));
    await eventually(() => expectNow(arrivals.slice(0, 100)));
    await store.arrived(arrivalsStream, arrivals.slice(100, 150), 100);
    await eventually(() => expectNow(arrivals.slice(0, 150)));
    await store.complete(arrivalsStream, Date.now() * 1_000);
    await store.arrived(arrivalsStream, arrivals.slice(150), 150);
    await eventually(() => expectNow(arrivals));
  });

  it('counts as a correction what comes behind the watermark or before records that were taken in', async () => {
    const database = store.app.get(DataSource);
    const stream = uniqueName('redriven');
    const added = { stream, partition: 1, earliestKnownMicros: 1_000 };
    const corrections = async (firstOffset: number, lastOffset: number, earliestKnownMicros = 1_000) => {
      await noteRecords(database, { ...added, firstOffset, lastOffset, earliestKnownMicros });
      return (await readProgress(database)).get(stream);
    };
    expect(await corrections(5, 9)).toEqual({ watermark: -Infinity, corrections: 0, positions: [-1, 9, -1, -1] });
    expect(await corrections(10, 12)).toMatchObject({ corrections: 0, positions: [-1, 12, -1, -1] });
    expect(await corrections(7, 7)).toMatchObject({ corrections: 1, positions: [-1, 12, -1, -1] });
    await database.query('UPDATE stream_progress SET watermark = 2000 WHERE stream = $1', [stream]);
    expect(await corrections(13, 13)).toMatchObject({ corrections: 2 });
    expect(await corrections(14, 14, 2_001)).toMatchObject({ corrections: 2, positions: [-1, 14, -1, -1] });
  });
});

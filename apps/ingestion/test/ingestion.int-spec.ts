import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { ArtifactStore } from '@headrace/artifacts';
import { events, topicOf, topics } from '@headrace/contracts';
import type {
  DataArrived,
  DataRejected,
  WatermarkAdvanced,
} from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { LOG_READER, type LogEvent, type LogReader, UNIT_OF_WORK, type UnitOfWork } from '@headrace/messaging';
import { eventually, uniqueName } from '@headrace/testing';
import { DataSource } from 'typeorm';
import { requestCommit } from '../src/database/commit-requests.repository';
import { columnsOf, parseManifest, RepeatFilter } from '../src/domain/dataset';
import { ForgetTheOld } from '../src/use-cases/forget-the-old';
import { WriteDatasetFiles } from '../src/use-cases/write-dataset-files';
import { streamOf } from './builders';
import { IngestionSite, RunningIngestion } from './running-ingestion';
import { badOrder, goodOrder, Upstream, type UpstreamMessage } from './upstream';

const PATIENCE = { timeoutMs: 60_000 };

async function readAll(service: RunningIngestion, topic: string): Promise<LogEvent[]> {
  const log = service.app.get<LogReader>(LOG_READER);
  const ends = await log.endOffsets(topic);
  const read: LogEvent[] = [];
  const ranges = new Map([...ends].map(([partition, to]) => [partition, { from: 0, to }]));
  await log.readRange(topic, ranges, (batch) => void read.push(...batch));
  return read;
}

function ordersStream(name: string) {
  return streamOf(
    {
      source: { kafka: { topic: `upstream.${name}` } },
      knownTime: 'placed',
      expectations: [{ name: 'lucky', expression: 'record.total != 13.3' }],
      dataset: { commitEveryRows: 300 },
      quality: { window: '10m', threshold: 0.95, minimumRecords: 100 },
    },
    name,
  );
}

function arrivalsOf(read: readonly LogEvent[]): (LogEvent & { data: DataArrived })[] {
  return read.filter((event): event is LogEvent & { data: DataArrived } => event.type === events.DataArrived.type);
}

/** No record with a known time up to a marker follows it in its partition. */
function expectMarkersToHold(read: readonly LogEvent[]): void {
  for (const partition of new Set(read.map((event) => event.partition))) {
    let watermark = -Infinity;
    for (const event of read.filter((one) => one.partition === partition)) {
      if (event.type === events.WatermarkAdvanced.type) watermark = (event.data as WatermarkAdvanced).watermarkMicros;
      else expect((event.data as DataArrived).knownTimeMicros).toBeGreaterThan(watermark);
    }
  }
}

describe('ingestion on the real Kafka and Postgres', () => {
  let site: IngestionSite;
  let service: RunningIngestion;

  beforeAll(async () => {
    site = await IngestionSite.create();
    service = await RunningIngestion.start(site);
  }, 120_000);

  afterAll(async () => {
    await service.stop();
    await site.remove();
  });

  describe('a stream with good, malformed and repeated records', () => {
    const name = uniqueName('orders');
    const good = Array.from({ length: 700 }, (_, nth) => goodOrder(nth));
    const bad = Array.from({ length: 80 }, (_, nth) => badOrder(nth));
    const published: UpstreamMessage[] = [
      ...good.slice(0, 400),
      ...bad.map(({ message }) => message),
      ...good.slice(395, 405), // five repeats and five new ones
      ...good.slice(405),
      ...bad.slice(0, 16).map(({ message }) => message), // repeats of rejected ones
      ...good.slice(0, 20), // repeats of long ago
    ];
    const rejectedCount = bad.length + 16;

    beforeAll(async () => {
      const upstream = await Upstream.open(`upstream.${name}`, 3);
      await service.apply(ordersStream(name));
      await upstream.publish(published);
      await upstream.close();
      await eventually(async () => {
        const { accepted, rejected, duplicates } = await service.counts(name);
        expect(accepted + rejected + duplicates).toBe(published.length);
      }, PATIENCE);
    }, 120_000);

    it('counts each record once: accepted, rejected or a repeat', async () => {
      expect(await service.counts(name)).toMatchObject({
        accepted: good.length,
        rejected: rejectedCount,
        duplicates: 25,
        lag: 0,
        rejectedByCode: {
          undecodable: 24,
          missing: 12,
          wrong_type: 12,
          out_of_range: 12,
          not_allowed: 12,
          expectation: 12,
          bad_envelope: 12,
        },
      });
    });

    it('publishes each accepted record once, in order for each key, with what caused it', async () => {
      const arrived = arrivalsOf(await readAll(service, topicOf(topics.data, name)));
      expect(new Set(arrived.map((event) => event.data.upstreamId)).size).toBe(good.length);
      expect(arrived).toHaveLength(good.length);
      for (const key of new Set(arrived.map((event) => event.key))) {
        const numbers = arrived
          .filter((event) => event.key === key)
          .map((event) => Number(event.data.upstreamId.slice('order-'.length)));
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      }
      const { eventId, causationId, data, producer } = arrived[0] as LogEvent & { data: DataArrived };
      const origin = data.origin ?? { topic: '', partition: -1, offset: -1 };
      expect(eventId).toBe(`upstream.${name}/${origin.partition}/${origin.offset}`);
      expect(producer).toEqual({ shard: `upstream.${name}/${origin.partition}`, sequence: origin.offset });
      expect(causationId).toBe(data.upstreamId);
    });

    it('announces in every partition that all of it was said, and keeps to that', async () => {
      const last = Date.UTC(2025, 0, 1) * 1_000 + 699 * 1_000_000;
      const read = await eventually(async () => {
        const all = await readAll(service, topicOf(topics.data, name));
        const complete = all.filter(
          (event) =>
            event.type === events.WatermarkAdvanced.type && (event.data as WatermarkAdvanced).watermarkMicros === last,
        );
        expect(complete.map((event) => event.partition).sort()).toEqual([0, 1, 2, 3]);
        return all;
      }, PATIENCE);
      expectMarkersToHold(read);
    }, 90_000);

    it('quarantines each malformed record with its reason and its original bytes', async () => {
      const read = await readAll(service, topicOf(topics.quarantine, name));
      const found = read.map((event) => event.data as DataRejected);
      expect(found).toHaveLength(rejectedCount);
      const codes = found.flatMap((one) => one.violations.map((violation) => violation.code));
      expect(new Set(codes)).toEqual(new Set(bad.map(({ code }) => code)));
      const broken = found.find((one) => Buffer.from(one.originalValue).toString() === '{"order": ');
      expect(broken?.violations[0]?.message).toMatch(/^found .*, which is not JSON, expected a JSON object$/);
      expect(Buffer.from(broken?.originalHeaders['ce_id'] ?? []).toString()).toMatch(/^bad-\d+$/);
    });

    it('says once that quality fell, and that it is back', async () => {
      const read = await readAll(service, topics.ingestion.name);
      const said = read.filter((event) => event.key === name && event.type.includes('DataQuality'));
      expect(said[0]?.type).toBe(events.DataQualityDegraded.type);
      expect(said[0]?.data).toMatchObject({ stream: name, threshold: 0.95 });
      for (const [index, event] of said.slice(1).entries()) expect(event.type).not.toBe(said[index]?.type);
    });

    it('commits versions by policy and on command, and everything is in the last one once', async () => {
      await eventually(async () => expect((await service.versions(name)).length).toBeGreaterThan(0), PATIENCE);
      const { dataset, rows } = await service.commit(name);
      expect(rows).toBe(good.length);
      expect(await service.commit(name)).toMatchObject({ committed: false, dataset });

      const artifacts = new ArtifactStore(join(site.folder, 'artifacts'));
      const manifest = parseManifest(await artifacts.read(dataset?.manifestDigest ?? ''));
      const files = await Promise.all(manifest.files.map((file) => artifacts.pathOf(file.digest)));
      const duckdb = await (await DuckDBInstance.create(':memory:')).connect();
      const reader = await duckdb.runAndReadAll(
        `SELECT count(*)::INT AS rows, count(DISTINCT _event_id)::INT AS ids, sum(total) AS total, min(_key) AS key,
                max(placed)::DOUBLE AS placed, count(country)::INT AS countries, max(_event_time - _known_time)::INT AS gap
           FROM read_parquet([${files.map((path) => `'${path}'`).join(', ')}])`,
      );
      expect(reader.getRowObjects()).toEqual([
        {
          rows: 700,
          ids: 700,
          total: (699 * 700) / 8,
          key: 'K-0',
          placed: Date.UTC(2025, 0, 1) * 1_000 + 699 * 1_000_000,
          countries: 0,
          gap: expect.any(Number) as number,
        },
      ]);

      const committed = (await readAll(service, topics.ingestion.name)).filter(
        (event) => event.key === name && event.type === events.DatasetVersionCommitted.type,
      );
      const arrived = new Set(arrivalsOf(await readAll(service, topicOf(topics.data, name))).map((one) => one.eventId));
      expect(committed.map((event) => event.data)).toEqual(await service.versions(name));
      for (const event of committed) expect(arrived.has(event.causationId)).toBe(true);
    }, 90_000);

    it('makes the same file from the same range again, byte for byte', async () => {
      const artifacts = new ArtifactStore(join(site.folder, 'artifacts'));
      const [version] = await service.versions(name);
      const [file] = parseManifest(await artifacts.read(version?.dataset?.manifestDigest ?? '')).files;
      const ranges = new Map(Object.entries(file?.offsets ?? {}).map(([at, range]) => [Number(at), range]));
      const again = await service.app
        .get(WriteDatasetFiles)
        .run(name, columnsOf(ordersStream(name)), ranges, new RepeatFilter({}));
      expect(again?.files).toEqual([file]);
    });

    it('leaves no temporary files', async () => {
      const store = join(site.folder, 'artifacts', 'sha256');
      const names = (await readdir(store, { recursive: true })).filter((one) => one.endsWith('.tmp'));
      expect(names).toEqual([]);
    });
  });

  it('forgets identities and windows beyond the retention, and nothing younger', async () => {
    const name = uniqueName('old-orders');
    const upstream = await Upstream.open(`upstream.${name}`, 1);
    await service.apply(ordersStream(name));
    const counted = (total: number) =>
      eventually(async () => {
        const { accepted, duplicates } = await service.counts(name);
        expect(accepted + duplicates).toBe(total);
      }, PATIENCE);
    await upstream.publish([goodOrder(1), goodOrder(2)]);
    await counted(2);
    const database = service.app.get(DataSource);
    const day = 86_400_000_000;
    await database.query(
      `UPDATE seen_events SET seen_at = now() - interval '61 days' WHERE stream = $1 AND event_id LIKE $2`,
      [name, '%order-1'],
    );
    const windows = async (stream: string): Promise<number[]> =>
      (
        await database.query<{ start: number }[]>(
          'SELECT start_micros::float8 AS start FROM quality_windows WHERE stream = $1 ORDER BY start_micros',
          [stream],
        )
      ).map(({ start }) => start);
    const addWindows = (stream: string, starts: readonly number[]): Promise<unknown> =>
      database.query(
        'INSERT INTO quality_windows SELECT $1, start, start + 600000000, 1, 0 FROM unnest($2::bigint[]) AS start',
        [stream, starts],
      );
    const [present = 0] = await windows(name);
    await addWindows(name, [present - 59 * day, present - 61 * day, present - 400 * day]);
    // One record that is dated in the far future makes nothing of today old.
    const dated = uniqueName('dated');
    const today = Date.now() * 1_000;
    await addWindows(dated, [today - 59 * day, today - 61 * day, today + 10_000 * day]);
    await service.app.get(ForgetTheOld).run();
    expect(await windows(name)).toEqual([present - 59 * day, present]);
    expect(await windows(dated)).toEqual([today - 59 * day, today + 10_000 * day]);
    // A repeat of the one that is remembered is dropped; the other one counts as new.
    await upstream.publish([goodOrder(1), goodOrder(2)]);
    await counted(4);
    expect(await service.counts(name)).toMatchObject({ accepted: 3, duplicates: 1 });
    await upstream.close();
  }, 60_000);

  it('commits what is new when newest data is asked for', async () => {
    const name = uniqueName('asked');
    const upstream = await Upstream.open(`upstream.${name}`, 2);
    await service.apply(ordersStream(name));
    await upstream.publish(Array.from({ length: 10 }, (_, nth) => goodOrder(nth)));
    await upstream.close();
    await eventually(async () => expect((await service.counts(name)).accepted).toBe(10), PATIENCE);
    expect(await service.versions(name)).toEqual([]);

    await service.app
      .get<UnitOfWork>(UNIT_OF_WORK)
      .run((transaction) => requestCommit(transaction, uniqueName('asked')));

    await eventually(async () => expect(await service.versions(name)).toMatchObject([{ rows: 10 }]), PATIENCE);
  }, 120_000);

  it('makes one version of a range when two instances commit at once', async () => {
    const name = uniqueName('raced');
    const upstream = await Upstream.open(`upstream.${name}`, 2);
    await service.apply(ordersStream(name));
    await upstream.publish(Array.from({ length: 10 }, (_, nth) => goodOrder(nth)));
    await upstream.close();
    await eventually(async () => expect((await service.counts(name)).accepted).toBe(10), PATIENCE);

    const other = await RunningIngestion.start(site);
    try {
      await eventually(async () => expect((await other.counts(name)).accepted).toBe(10), PATIENCE);
      const results = await Promise.all([service, other, service, other].map((one) => one.commit(name)));
      expect(results.filter((result) => result.committed)).toHaveLength(1);
      expect(await service.versions(name)).toHaveLength(1);
    } finally {
      await other.stop();
    }
  }, 120_000);

  it('gives a record that is late for its watermark a known time above it', async () => {
    const name = uniqueName('late');
    const upstream = await Upstream.open(`upstream.${name}`, 2);
    await service.apply(ordersStream(name));
    await upstream.publish(Array.from({ length: 20 }, (_, nth) => goodOrder(100 + nth)));
    const announced = Date.UTC(2025, 0, 1) * 1_000 + 119 * 1_000_000;
    const data = topicOf(topics.data, name);
    await eventually(async () => {
      const markers = (await readAll(service, data)).filter((event) => event.type === events.WatermarkAdvanced.type);
      expect((markers.at(-1)?.data as WatermarkAdvanced | undefined)?.watermarkMicros).toBe(announced);
    }, PATIENCE);

    await upstream.publish([goodOrder(3)]);
    await upstream.close();

    const late = await eventually(async () => {
      const arrived = arrivalsOf(await readAll(service, data));
      expect(arrived).toHaveLength(21);
      return arrived.find((event) => event.data.upstreamId === 'order-3');
    }, PATIENCE);
    expect(late?.data.eventTimeMicros).toBeLessThan(announced);
    expect(late?.data.knownTimeMicros).toBe(announced + 1);
    await eventually(async () => expectMarkersToHold(await readAll(service, data)), PATIENCE);
  }, 120_000);

  it('counts every record once although connections break, and the service restarts, in the middle', async () => {
    const name = uniqueName('broken');
    const upstream = await Upstream.open(`upstream.${name}`, 4);
    await service.apply(ordersStream(name));
    const good = Array.from({ length: 12_000 }, (_, nth) => goodOrder(nth));
    const bad = Array.from({ length: 400 }, (_, nth) => badOrder(nth));
    const publishing = upstream.publish(
      good.flatMap((message, nth) => {
        const extra = nth % 30 === 0 ? bad[nth / 30] : undefined;
        const repeat = nth % 100 === 50 ? [good[nth - 50] as UpstreamMessage] : [];
        return [message, ...repeat, ...(extra ? [extra.message] : [])];
      }),
    );
    const total = 12_000 + 400 + 120;
    const handled = async (): Promise<number> => {
      const { accepted, rejected, duplicates } = await service.counts(name);
      return accepted + rejected + duplicates;
    };
    for (const share of [0.05, 0.2, 0.35]) {
      await eventually(async () => expect(await handled()).toBeGreaterThan(share * total), PATIENCE);
      await site.breakConnections();
    }
    await eventually(async () => expect(await handled()).toBeGreaterThan(0.5 * total), PATIENCE);
    await service.stop();
    service = await RunningIngestion.start(site);
    await publishing;
    await eventually(async () => expect(await handled()).toBe(total), PATIENCE);

    expect(await service.counts(name)).toMatchObject({ accepted: 12_000, rejected: 400, duplicates: 120, lag: 0 });
    const read = await readAll(service, topicOf(topics.data, name));
    const arrived = arrivalsOf(read);
    expect(arrived).toHaveLength(12_000);
    expect(new Set(arrived.map((event) => event.data.upstreamId)).size).toBe(12_000);
    expectMarkersToHold(read);
    expect((await service.commit(name)).rows).toBe(12_000);
    await upstream.close();
  }, 240_000);
});

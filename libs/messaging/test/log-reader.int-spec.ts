import { events, topicOf } from '@headrace/contracts';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { createTestDatabase, eventually, testKafkaBrokers, uniqueName, type TestDatabase } from '@headrace/testing';
import { ensureTopics, type LogEvent } from '@headrace/messaging';
import { CompressionTypes, ConfigResourceTypes } from 'kafkajs';
import type { DataSource } from 'typeorm';
import { openTestDatabase, startService, type RunningService } from './running-service';
import { arrivals, kafka, recordsOf } from './sample-events';

const numberOf = (event: LogEvent): number => Number((event.data as DataArrived).upstreamId);

describe('reading the log without a group', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let running: RunningService;
  let stream: string;
  let topic: string;

  beforeAll(async () => {
    database = await createTestDatabase('reader');
    dataSource = await openTestDatabase(database.url);
    running = await startService({ service: uniqueName('reader'), dataSource });
  });

  beforeEach(() => {
    stream = uniqueName('stream');
    topic = topicOf(events.DataArrived.topic, stream);
  });

  afterAll(async () => {
    await running.stop();
    await dataSource.destroy();
    await database.drop();
  });

  it('broadcasts everything from the beginning to every reader, says when it caught up, then goes on live', async () => {
    await running.bulk.publish(arrivals(stream, 500, 10));
    await running.bulk.publish(arrivals(stream, 500, 10));
    const seen: [number[], number[]] = [[], []];
    const subscriptions = await Promise.all(
      seen.map((numbers) => running.reader.broadcast(topic, (event) => void numbers.push(numberOf(event)))),
    );
    await Promise.all(subscriptions.map(({ caughtUp }) => caughtUp));
    expect(seen.map((numbers) => numbers.length)).toEqual([500, 500]);
    await running.bulk.publish(arrivals(stream, 1, 1, 501));
    await eventually(() => expect(seen.every((numbers) => numbers.at(-1) === 501)).toBe(true));
    await Promise.all(subscriptions.map((subscription) => subscription.close()));
  }, 30_000);

  it('has caught up at once with an empty topic, and leaves no group behind', async () => {
    const subscription = await running.reader.broadcast(topic, () => undefined);
    await subscription.caughtUp;
    await subscription.close();
    const admin = kafka().admin();
    await admin.connect();
    const { groups } = await admin.listGroups();
    await admin.disconnect();
    expect(groups.filter(({ groupId }) => groupId.startsWith('headrace-reader.reader-'))).toEqual([]);
  }, 30_000);

  async function numbersOn(name: string): Promise<Set<number>> {
    const numbers = new Set<number>();
    const ends = await running.reader.endOffsets(name);
    const ranges = new Map([...ends].map(([partition, to]) => [partition, { from: 0, to }]));
    await running.reader.readRange(name, ranges, (batch) => batch.forEach((event) => numbers.add(numberOf(event))));
    return numbers;
  }
  const threeHundred = new Set(Array.from({ length: 300 }, (_, index) => index + 1));

  it.each(['gzip', 'lz4', 'snappy'])(
    'reads what the broker compressed by %s, because the topic says so',
    async (type) => {
      await ensureTopics(testKafkaBrokers(), [topic]);
      const admin = kafka().admin();
      await admin.connect();
      const configEntries = [{ name: 'compression.type', value: type }];
      await admin.alterConfigs({
        validateOnly: false,
        resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }],
      });
      await admin.disconnect();
      await running.bulk.publish(arrivals(stream, 300, 10));
      expect(await numbersOn(topic)).toEqual(threeHundred);
    },
    30_000,
  );

  it('reads what its producer compressed', async () => {
    await running.bulk.publish(arrivals(stream, 300, 10));
    const copied = `${topic}-copy`;
    await ensureTopics(testKafkaBrokers(), [copied]);
    const producer = kafka().producer();
    await producer.connect();
    const messages = (await recordsOf(topic))
      .map(({ key, value, headers = {} }) => ({ key, value, headers }))
      .sort((a, b) => Number(a.headers['ce_producersequence']) - Number(b.headers['ce_producersequence']));
    await producer.send({ topic: copied, compression: CompressionTypes.GZIP, messages });
    await producer.disconnect();
    expect(await numbersOn(copied)).toEqual(threeHundred);
  }, 30_000);

  it('reads exactly a range of offsets of each partition, quickly', async () => {
    await running.bulk.publish(arrivals(stream, 4000, 100));
    const ends = await running.reader.endOffsets(topic);
    expect([...ends.values()].reduce((sum, end) => sum + end, 0)).toBe(4000);
    const ranges = new Map([...ends].map(([partition, end]) => [partition, { from: 10, to: end - 20 }]));
    ranges.set(0, { from: 5, to: 5 });
    const read: LogEvent[] = [];
    const began = performance.now();
    await running.reader.readRange(topic, ranges, (batch) => void read.push(...batch));
    expect(performance.now() - began).toBeLessThan(1500);
    for (const [partition, { from, to }] of ranges) {
      const offsets = read.filter((event) => event.partition === partition).map(({ offset }) => offset);
      expect(offsets).toEqual(Array.from({ length: to - from }, (_, index) => from + index));
    }
  }, 30_000);

  it('answers at once when there is nothing to read, and refuses a range beyond the end', async () => {
    await running.reader.readRange(topic, new Map([[0, { from: 3, to: 3 }]]), () => undefined);
    expect(await running.reader.endOffsets(topic)).toEqual(new Map());
    await running.bulk.publish(arrivals(stream, 1, 1));
    await expect(running.reader.readRange(topic, new Map([[0, { from: 0, to: 9 }]]), () => undefined)).rejects.toThrow(
      'asked to read up to 9',
    );
  }, 30_000);

  it("rejects with the reader's own error", async () => {
    await running.bulk.publish(arrivals(stream, 100, 100));
    const ends = await running.reader.endOffsets(topic);
    const ranges = new Map([...ends].map(([partition, to]) => [partition, { from: 0, to }]));
    const reading = running.reader.readRange(topic, ranges, () => Promise.reject(new Error('no room')));
    await expect(reading).rejects.toThrow('no room');
  }, 30_000);
});

import { Controller } from '@nestjs/common';
import { deadLetterTopicOf, events } from '@headrace/contracts';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { createTestDatabase, eventually, testKafkaBrokers, uniqueName, type TestDatabase } from '@headrace/testing';
import {
  ensureTopics,
  OnEvent,
  OnRecordBatch,
  type Outcome,
  type RawRecord,
  type ReceivedEvent,
  type Transaction,
} from '@headrace/messaging';
import type { DataSource } from 'typeorm';
import { openTestDatabase, startService, type RunningService } from './running-service';
import { arrival, effectsOf, kafka, recordsOf } from './sample-events';

const SERVICE = uniqueName('topics');
const UPSTREAM = uniqueName('upstream');

@Controller()
class Handlers {
  @OnEvent(events.DataArrived, { deadLetter: 'park-key' })
  async on(event: ReceivedEvent<DataArrived>, transaction: Transaction): Promise<void> {
    await transaction.query('INSERT INTO effects (service, key, sequence, note) VALUES ($1, $2, $3, $4)', [
      SERVICE,
      event.data.stream,
      event.data.upstreamId,
      event.topic,
    ]);
  }

  @OnRecordBatch(UPSTREAM, { deadLetter: 'reorder-safe' })
  async onRecords(records: RawRecord[], transaction: Transaction): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const { topic, key, value, headers, offset } of records) {
      if (value?.toString() === 'bad') {
        outcomes.push({ kind: 'rejected', code: 'bad', message: 'bad' });
        continue;
      }
      outcomes.push({ kind: 'done' });
      await transaction.query('INSERT INTO effects (service, key, sequence, note) VALUES ($1, $2, $3, $4)', [
        UPSTREAM,
        key?.toString(),
        offset,
        `${topic} ${value?.toString()} ${headers['h']?.toString()}`,
      ]);
    }
    return outcomes;
  }
}

describe('topics given at run time', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let running: RunningService;

  beforeAll(async () => {
    database = await createTestDatabase('topics');
    dataSource = await openTestDatabase(database.url, 30);
    running = await startService({ service: SERVICE, dataSource, controllers: [Handlers] });
  });

  afterAll(async () => {
    await running.stop();
    await dataSource.destroy();
    await database.drop();
  });

  it('begins with no topics, adds and drops streams, and goes on where it stood when one comes back', async () => {
    expect(running.health.status().ready).toBe(true);
    const [a, b] = [uniqueName('stream'), uniqueName('stream')];
    const applied = async (): Promise<string[]> =>
      (await effectsOf(dataSource, SERVICE)).map(({ key, sequence }) => `${key === a ? 'a' : 'b'}${sequence}`).sort();
    running.subscriptions.set(SERVICE, events.DataArrived, [a]);
    await running.bulk.publish([arrival(a, 'k', 1), arrival(b, 'k', 1)]);
    await eventually(async () => expect(await applied()).toEqual(['a1']));
    running.subscriptions.set(SERVICE, events.DataArrived, [a, b]);
    await eventually(async () => expect(await applied()).toEqual(['a1', 'b1']));
    running.subscriptions.set(SERVICE, events.DataArrived, [b]);
    await running.bulk.publish([arrival(b, 'k', 2)]);
    await eventually(async () => expect(await applied()).toEqual(['a1', 'b1', 'b2']));
    await running.bulk.publish([arrival(a, 'k', 2)]);
    running.subscriptions.set(SERVICE, events.DataArrived, [a, b]);
    await eventually(async () => expect(await applied()).toEqual(['a1', 'a2', 'b1', 'b2']));
  }, 60_000);

  it('waits for a foreign topic, then hands its records over as they are and dead-letters what is refused', async () => {
    const topic = uniqueName('orders');
    running.subscriptions.setForeign(UPSTREAM, [topic]);
    await eventually(() =>
      expect(running.warnings.map(({ message }) => message)).toContain(
        'foreign topic does not exist yet, waiting for it',
      ),
    );
    await ensureTopics(testKafkaBrokers(), [{ name: topic, partitions: 1, cleanup: 'delete', retentionMs: -1 }]);
    const producer = kafka().producer();
    await producer.connect();
    const messages = ['one', 'bad', 'two'].map((value) => ({ key: 'k', value, headers: { h: 'x' } }));
    await producer.send({ topic, messages });
    await producer.disconnect();
    await eventually(async () =>
      expect((await effectsOf(dataSource, UPSTREAM)).map(({ note }) => note)).toEqual([
        `${topic} one x`,
        `${topic} two x`,
      ]),
    );
    const letters = await eventually(async () => {
      const all = await recordsOf(deadLetterTopicOf(topic, UPSTREAM));
      expect(all).toHaveLength(1);
      return all;
    });
    expect(letters[0]?.value?.toString()).toBe('bad');
    expect(letters[0]?.headers?.['h']?.toString()).toBe('x');
  }, 30_000);

  it("refuses a stream's name that cannot be one, and a topic of Headrace as a foreign one", () => {
    expect(() => running.subscriptions.set(SERVICE, events.DataArrived, ['No Stream'])).toThrow('No Stream');
    expect(() => running.subscriptions.setForeign(UPSTREAM, ['training.v1'])).toThrow('belongs to Headrace');
  });
});

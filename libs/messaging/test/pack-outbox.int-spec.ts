// An outbox of an earlier version, with events that wait, becomes one whose rows hold many.
import { randomUUID } from 'node:crypto';
import { events, topicOf } from '@headrace/contracts';
import { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { messagingMigrations } from '@headrace/messaging';
import { createTestDatabase, eventually, uniqueName, type TestDatabase } from '@headrace/testing';
import { DataSource } from 'typeorm';
import { openTestDatabase, startService, type RunningService } from './running-service';
import { recordsOf } from './sample-events';

const NUMBER = 'ce_producersequence';

describe('packing an outbox of one row an event', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let running: RunningService | undefined;
  const stream = uniqueName('stream');
  const topic = topicOf(events.DataArrived.topic, stream);

  beforeAll(async () => {
    database = await createTestDatabase('pack');
    const before = messagingMigrations.filter(({ name }) => !name.startsWith('PackTheOutbox'));
    const old = await new DataSource({ type: 'postgres', url: database.url, migrations: before }).initialize();
    await old.runMigrations();
    for (let n = 1; n <= 3; n += 1) {
      await old.query('INSERT INTO outbox (shard, topic, key, headers, value) VALUES (3, $1, $2, $3, $4)', [
        topic,
        Buffer.from('k'),
        JSON.stringify({
          ce_id: `old-${n}`,
          bytes: { base64: '/wA=' },
          ...(n === 2 ? { dlq_reason: 'rejected' } : {}),
        }),
        n === 3 ? null : Buffer.from([n]),
      ]);
    }
    await old.destroy();
  });

  afterAll(async () => {
    await running?.stop();
    await dataSource.destroy();
    await database.drop();
  });

  const sequences = async (): Promise<number[]> =>
    (await recordsOf(topic)).map(({ headers }) => Number(headers?.[NUMBER]?.toString() ?? Number.NaN));

  it('keeps the events that wait, with their numbers, and goes back to one row an event', async () => {
    dataSource = await openTestDatabase(database.url);
    await dataSource.undoLastMigration();
    const restored: unknown = await dataSource.query(
      'SELECT sequence::int, topic, headers, value FROM outbox ORDER BY 1',
    );
    expect(restored).toEqual([
      { sequence: 1, topic, headers: { ce_id: 'old-1', bytes: { base64: '/wA=' } }, value: Buffer.from([1]) },
      expect.objectContaining({ sequence: 2, headers: expect.objectContaining({ dlq_reason: 'rejected' }) as object }),
      expect.objectContaining({ sequence: 3, value: null }),
    ]);
    await dataSource.runMigrations();
  }, 30_000);

  it('publishes them, and what comes later with higher numbers', async () => {
    running = await startService({ service: uniqueName('pack'), dataSource });
    await eventually(async () => expect(await recordsOf(topic)).toHaveLength(3));
    const [first, letter, third] = await recordsOf(topic);
    expect(first).toMatchObject({ key: Buffer.from('k'), value: Buffer.from([1]) });
    expect(first?.headers?.['bytes']).toEqual(Buffer.from([0xff, 0]));
    expect(letter?.headers?.['dlq_reason']?.toString()).toBe('rejected');
    expect(third?.value).toBeNull();
    // A letter keeps the producer of its original, and this one had none.
    expect(await sequences()).toEqual([1, Number.NaN, 3]);

    const publish = (keys: readonly string[]): Promise<void> =>
      (running as RunningService).unitOfWork.run((transaction) => {
        for (const recordKey of keys) {
          transaction.publish(events.DataArrived, DataArrived.fromPartial({ stream, recordKey }), {
            stream,
            cause: null,
            id: randomUUID(),
          });
        }
        return Promise.resolve();
      });
    await publish(Array.from({ length: 1100 }, () => 'k'));
    await publish(['k', 'k']);
    await eventually(async () => expect(await recordsOf(topic)).toHaveLength(1105));
    const later = (await sequences()).slice(3);
    expect(later[0]).toBeGreaterThan(3);
    for (const [index, sequence] of later.slice(1).entries())
      expect(sequence).toBeGreaterThan(later[index] ?? Infinity);
  }, 60_000);
});

import { Controller } from '@nestjs/common';
import { events } from '@headrace/contracts';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { createTestDatabase, eventually, uniqueName, type TestDatabase } from '@headrace/testing';
import { OnEvent, OnEventBatch, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import type { DataSource } from 'typeorm';
import { openTestDatabase, startService, type RunningService } from './running-service';
import { arrivals, effectsOf, inversions } from './sample-events';

const SINGLE = uniqueName('single');
const BATCH = uniqueName('batch');

function insert(
  transaction: Transaction,
  service: string,
  arrived: readonly ReceivedEvent<DataArrived>[],
): Promise<unknown> {
  return transaction.query(
    'INSERT INTO effects (service, key, sequence, note) SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::text[])',
    [
      service,
      arrived.map((event) => event.key),
      arrived.map((event) => Number(event.data.upstreamId)),
      arrived.map((event) => event.eventId),
    ],
  );
}

@Controller()
class SingleHandler {
  @OnEvent(events.DataArrived, { deadLetter: 'park-key' })
  async on(event: ReceivedEvent<DataArrived>, transaction: Transaction): Promise<void> {
    await insert(transaction, SINGLE, [event]);
  }
}

@Controller()
class BatchHandler {
  @OnEventBatch(events.DataArrived, { deadLetter: 'reorder-safe' })
  async on(arrived: ReceivedEvent<DataArrived>[], transaction: Transaction): Promise<void> {
    await insert(transaction, BATCH, arrived);
  }
}

describe('delivery', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  const running: RunningService[] = [];

  async function start(service: string, stream: string): Promise<RunningService> {
    const started = await startService({
      service,
      dataSource,
      controllers: [service === SINGLE ? SingleHandler : BatchHandler],
      subscribe: (subscriptions) => subscriptions.set(service, events.DataArrived, [stream]),
    });
    running.push(started);
    return started;
  }

  beforeAll(async () => {
    database = await createTestDatabase('delivery');
    dataSource = await openTestDatabase(database.url, 40);
  });

  afterEach(async () => {
    await Promise.all(running.splice(0).map((service) => service.stop()));
  });

  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  it.each([SINGLE, BATCH])(
    'applies every event once and in order for each key (%s)',
    async (service) => {
      const stream = uniqueName('stream');
      const { bulk } = await start(service, stream);
      await bulk.publish(arrivals(stream, 2000, 20));
      await eventually(async () => expect(await effectsOf(dataSource, service)).toHaveLength(2000));
      const effects = await effectsOf(dataSource, service);
      expect(inversions(effects)).toEqual([]);
    },
    30_000,
  );

  it('goes on where the database stands after a restart, whatever Kafka remembers', async () => {
    const stream = uniqueName('stream');
    await dataSource.query('DELETE FROM effects');
    const first = await start(BATCH, stream);
    await first.bulk.publish(arrivals(stream, 300, 10));
    await eventually(async () => expect(await effectsOf(dataSource, BATCH)).toHaveLength(300));
    await first.stop();
    running.splice(0);
    const second = await start(BATCH, stream);
    await second.bulk.publish(arrivals(stream, 300, 10, 301));
    await eventually(async () => expect(await effectsOf(dataSource, BATCH)).toHaveLength(600));
    expect(inversions(await effectsOf(dataSource, BATCH))).toEqual([]);
  }, 30_000);

  it('drops what a producer writes again, by its sequence', async () => {
    const stream = uniqueName('stream');
    await dataSource.query('DELETE FROM effects');
    const { bulk } = await start(BATCH, stream);
    const all = arrivals(stream, 200, 10);
    await bulk.publish(all.slice(0, 150));
    await bulk.publish(all.slice(50, 200));
    await bulk.publish(all);
    await bulk.publish(arrivals(stream, 1, 1, 201));
    await eventually(async () => {
      const effects = await effectsOf(dataSource, BATCH);
      expect(effects.some(({ sequence }) => sequence === 201)).toBe(true);
      expect(effects.length).toBeGreaterThanOrEqual(201);
    });
    expect(await effectsOf(dataSource, BATCH)).toHaveLength(201);
  }, 30_000);

  it('shares the partitions of a group between instances, and loses and repeats nothing while one comes and goes', async () => {
    const stream = uniqueName('stream');
    await dataSource.query('DELETE FROM effects');
    const stays = await start(BATCH, stream);
    const publishing = (async () => {
      for (let from = 1; from <= 3000; from += 100) await stays.bulk.publish(arrivals(stream, 100, 40, from));
    })();
    const comes = await start(BATCH, stream);
    await comes.stop();
    await publishing;
    await eventually(async () => expect(await effectsOf(dataSource, BATCH)).toHaveLength(3000), { timeoutMs: 30_000 });
    expect(inversions(await effectsOf(dataSource, BATCH))).toEqual([]);
  }, 60_000);
});

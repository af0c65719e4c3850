// Much that waits: a long backlog after an outage, and many events whose cause does not come.
import { Controller } from '@nestjs/common';
import { events } from '@headrace/contracts';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { createTestDatabase, eventually, uniqueName, type TestDatabase } from '@headrace/testing';
import { MemoryBroker, OnEvent, type Outcome, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import type { DataSource } from 'typeorm';
import { inTransaction } from '../src/database';
import { dueEvents, park } from '../src/parked';
import { openTestDatabase, startService } from './running-service';
import { arrival } from './sample-events';

const SERVICE = uniqueName('backlog');
/** Calls that find the world unfit, before it is well again. */
let outages = 0;

@Controller()
class AfterOutage {
  @OnEvent(events.DataArrived, { deadLetter: 'reorder-safe', group: SERVICE })
  async on(event: ReceivedEvent<DataArrived>, transaction: Transaction): Promise<Outcome | void> {
    if (outages > 0) {
      outages -= 1;
      return { kind: 'transient', message: 'away' };
    }
    await transaction.query('INSERT INTO effects (service, key, sequence) VALUES ($1, $2, $3)', [
      SERVICE,
      event.key,
      event.data.upstreamId,
    ]);
  }
}

describe('a backlog', () => {
  let database: TestDatabase;
  let dataSource: DataSource;

  beforeAll(async () => {
    database = await createTestDatabase('backlog');
    dataSource = await openTestDatabase(database.url);
  });

  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  it('shares transactions again as soon as the outage is over, however many failed before', async () => {
    const brokers = new MemoryBroker();
    const stream = uniqueName('stream');
    const subscribe = { service: SERVICE, brokers, dataSource };
    const publisher = await startService(subscribe);
    await publisher.bulk.publish(Array.from({ length: 1_000 }, (_, index) => arrival(stream, 'k', index + 1)));
    await publisher.stop();
    outages = 12; // more than halvings from a full chunk to single events
    const running = await startService({
      ...subscribe,
      controllers: [AfterOutage],
      subscribe: (subscriptions) => subscriptions.set(SERVICE, events.DataArrived, [stream]),
    });
    const [counted] = await eventually(
      async () => {
        const found: unknown = await dataSource.query(
          'SELECT count(*)::int AS effects, count(DISTINCT xmin::text)::int AS transactions FROM effects',
        );
        expect(found).toMatchObject([{ effects: 1_000 }]);
        return found as { transactions: number }[];
      },
      { timeoutMs: 60_000 },
    );
    await running.stop();
    // 1, 2, 4 … 500: about ten, and never one for each event.
    expect(counted?.transactions).toBeLessThan(50);
  }, 90_000);

  it('tries what has waited for its turn longest, however many wait before it on the log', async () => {
    const group = uniqueName('many');
    const parking = (offset: number) => ({
      record: { topic: 't', partition: 0, offset, timestampMs: 0, key: Buffer.from('k'), value: null, headers: {} },
      state: 'waiting' as const,
      blocksKey: false,
      waitsFor: 'something',
      expiresAtMs: undefined,
    });
    await inTransaction(dataSource, async (runner) => {
      for (let offset = 0; offset < 20; offset += 1) await park(runner, group, parking(offset));
    });
    const turnOf = (offset: number, secondsAgo: number): Promise<unknown> =>
      dataSource.query(
        `UPDATE parked_events SET next_try_at = now() - make_interval(secs => $3)
          WHERE consumer_group = $1 AND source_offset = $2`,
        [group, offset, secondsAgo],
      );
    await turnOf(19, 60);
    await turnOf(7, -60);
    const due = await inTransaction(dataSource, (runner) => dueEvents(runner, group, 3));
    expect(due.map(({ offset }) => offset)).toEqual([19, 0, 1]);
    const all = await inTransaction(dataSource, (runner) => dueEvents(runner, group, 100));
    expect(all.map(({ offset }) => offset)).not.toContain(7);
  });
});

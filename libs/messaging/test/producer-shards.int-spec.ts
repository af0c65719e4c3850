import { createTestDatabase, uniqueName, type TestDatabase } from '@headrace/testing';
import type { DataSource } from 'typeorm';
import { forgetProcesses, processShard } from '../src/producer-shards';
import { openTestDatabase } from './running-service';

const DAY_MS = 86_400_000;

describe('sequences of producers', () => {
  const id = { group: uniqueName('group'), topic: 'data.orders.v1', partition: 2 };
  let database: TestDatabase;
  let dataSource: DataSource;

  beforeEach(async () => {
    database = await createTestDatabase('shards');
    dataSource = await openTestDatabase(database.url, 5);
  });

  afterEach(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  const seen = (shard: string, daysAgo: number, { group, topic, partition } = id): Promise<unknown> =>
    dataSource.query(
      `INSERT INTO producer_sequences (consumer_group, topic, partition, producer_shard, last_sequence, updated_at)
       VALUES ($1, $2, $3, $4, 7, now() - make_interval(days => $5))`,
      [group, topic, partition, shard, daysAgo],
    );
  const known = async (): Promise<string[]> => {
    const rows: unknown = await dataSource.query('SELECT producer_shard AS shard FROM producer_sequences ORDER BY 1');
    return (rows as { shard: string }[]).map(({ shard }) => shard);
  };

  it('of processes that ended long ago are forgotten, those of outboxes and upstream partitions never', async () => {
    await seen(processShard('gateway/1'), 31);
    await seen(processShard('gateway/2'), 29);
    await seen('registry/4711/3', 400);
    await seen('orders/0', 400);
    await seen(processShard('gateway/3'), 400, { ...id, partition: 3 });
    await forgetProcesses(dataSource, id, Date.now());
    expect(await known()).toEqual(['orders/0', 'process/gateway/2', 'process/gateway/3', 'registry/4711/3']);
  });

  it('are kept while what the group reads was written soon after them, however long it stood still', async () => {
    await seen(processShard('gateway/1'), 90);
    await forgetProcesses(dataSource, id, Date.now() - 61 * DAY_MS);
    expect(await known()).toEqual(['process/gateway/1']);
    await forgetProcesses(dataSource, id, Date.now() - 59 * DAY_MS);
    expect(await known()).toEqual([]);
  });
});

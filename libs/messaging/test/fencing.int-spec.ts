import {
  Controller,
  Injectable,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { events, redriveTopicOf, topicOf } from '@headrace/contracts';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { createTestDatabase, eventually, uniqueName, type TestDatabase } from '@headrace/testing';
import { defaultTuning, OnEvent, silentLogger, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import type { Observable } from 'rxjs';
import type { DataSource } from 'typeorm';
import { inTransaction } from '../src/database';
import { HangWatch } from '../src/hang-watch';
import { writeOutbox } from '../src/outbox';
import { PartitionProcessor } from '../src/partition-processor';
import { lockPosition } from '../src/positions';
import { GroupRoutes } from '../src/routes';
import { TopicSelection } from '../src/topic-subscriptions';
import { openTestDatabase, startService, type RunningService } from './running-service';
import { arrivals, effectsOf, kafka } from './sample-events';

const SERVICE = uniqueName('fencing');
let intercepted = 0;

@Injectable()
class Counting implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    intercepted += 1;
    return next.handle();
  }
}

@Controller()
@UseInterceptors(Counting)
class Handler {
  @OnEvent(events.DataArrived, { deadLetter: 'reorder-safe' })
  async on(event: ReceivedEvent<DataArrived>, transaction: Transaction): Promise<void> {
    await transaction.query('INSERT INTO effects (service, key, sequence) VALUES ($1, $2, $3)', [
      SERVICE,
      event.key,
      event.data.upstreamId,
    ]);
  }
}

describe('the position in the database', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let running: RunningService | undefined;
  let stream: string;

  const start = (): Promise<RunningService> =>
    startService({
      service: SERVICE,
      dataSource,
      controllers: [Handler],
      subscribe: (subscriptions) => subscriptions.set(SERVICE, events.DataArrived, [stream]),
    });

  beforeEach(async () => {
    database = await createTestDatabase('fencing');
    dataSource = await openTestDatabase(database.url, 20);
    stream = uniqueName('stream');
  });

  afterEach(async () => {
    await running?.stop();
    running = undefined;
    await dataSource.destroy();
    await database.drop();
  });

  it('fences a zombie: who comes with a partition that another moved on writes nothing twice', async () => {
    running = await start();
    await running.bulk.publish(arrivals(stream, 50, 1));
    await eventually(async () => expect(await effectsOf(dataSource, SERVICE)).toHaveLength(50));
    const [{ cluster_id: clusterId = '', partition = 0 } = {}] = (await dataSource.query(
      'SELECT cluster_id, partition FROM consumer_positions WHERE next_offset = 50',
    )) as { cluster_id?: string; partition?: number }[];
    const topic = topicOf(events.DataArrived.topic, stream);
    const routes = new GroupRoutes(SERVICE, new TopicSelection());
    let calls = 0;
    routes.add(
      { kind: 'event', definition: events.DataArrived as never, options: { deadLetter: 'reorder-safe' } },
      () => {
        calls += 1;
        return Promise.resolve();
      },
    );
    const zombie = new PartitionProcessor(
      {
        group: SERVICE,
        service: SERVICE,
        clusterId,
        dataSource,
        routes,
        tuning: defaultTuning,
        logger: silentLogger,
        hangWatch: new HangWatch(SERVICE, 0, silentLogger),
        writeOutbox,
      },
      topic,
      partition,
    );
    const record = (offset: number) => ({
      topic,
      partition,
      offset,
      timestampMs: 0,
      key: null,
      value: null,
      headers: {},
    });
    const late = { fetchedFrom: 10, records: [record(10), record(11)], end: 12, highWatermark: 50 };
    const positions: number[] = [];
    expect(
      await zombie.process(
        late,
        (position) => void positions.push(position),
        () => true,
      ),
    ).toEqual({ kind: 'unpositioned' });
    expect(positions).toEqual([]);
    // Fetched beyond the position: what lies between would be skipped, so it must seek back.
    const ahead = { fetchedFrom: 60, records: [record(60)], end: 61, highWatermark: 61 };
    expect(
      await zombie.process(
        ahead,
        () => undefined,
        () => true,
      ),
    ).toEqual({ kind: 'seek', to: 50 });
    expect(calls).toBe(0);
    expect(await effectsOf(dataSource, SERVICE)).toHaveLength(50);
    expect(intercepted).toBeGreaterThanOrEqual(50);
  }, 30_000);

  it('is not held for ever by a process that stopped in the middle of a transaction', async () => {
    running = await start();
    const [{ topic = '', partition = 0 } = {}] = (await dataSource.query(
      'SELECT topic, partition FROM consumer_positions LIMIT 1',
    )) as { topic?: string; partition?: number }[];
    const stuck = inTransaction(dataSource, async (runner) => {
      await lockPosition(
        runner,
        { group: SERVICE, topic, partition },
        { idleInTransactionMs: 300, statementMs: 60_000 },
      );
      const [{ pid = 0 } = {}] = (await runner.query('SELECT pg_backend_pid() AS pid')) as { pid?: number }[];
      // Stands still, with the transaction open, until the database has had enough of it.
      await eventually(async () =>
        expect(await dataSource.query('SELECT pid FROM pg_stat_activity WHERE pid = $1', [pid])).toEqual([]),
      );
      await runner.query('SELECT 1');
    });
    await expect(stuck).rejects.toThrow();
    await running.bulk.publish(arrivals(stream, 40, 40));
    await eventually(async () => expect(await effectsOf(dataSource, SERVICE)).toHaveLength(40));
  }, 30_000);

  it('refuses to start beyond the end of the log, and on another cluster', async () => {
    running = await start();
    await running.bulk.publish(arrivals(stream, 20, 1));
    await eventually(async () => expect(await effectsOf(dataSource, SERVICE)).toHaveLength(20));
    await running.stop();
    const admin = kafka().admin();
    await admin.connect();
    const topic = topicOf(events.DataArrived.topic, stream);
    await admin.deleteTopics({ topics: [topic] });
    await eventually(async () => expect(await admin.listTopics()).not.toContain(topic));
    await admin.disconnect();
    running = await start();
    await eventually(() => expect(running?.fatal[0]?.message).toContain('was deleted and made again'));
    await running.stop();
    await dataSource.query(`UPDATE consumer_positions SET next_offset = 0, cluster_id = 'elsewhere'`);
    running = await start();
    await eventually(() => expect(running?.fatal[0]?.message).toContain('belongs to Kafka cluster elsewhere'));
  }, 60_000);

  async function makeAgain(topic: string, records: number): Promise<void> {
    const admin = kafka().admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] });
    await eventually(async () => expect(await admin.listTopics()).not.toContain(topic));
    await admin.createTopics({ topics: [{ topic, numPartitions: 4 }] });
    await admin.disconnect();
    const producer = kafka().producer();
    await producer.connect();
    const messages = Array.from({ length: records }, (_, index) => ({ value: 'x', partition: index % 4 }));
    await eventually(() => producer.send({ topic, messages }));
    await producer.disconnect();
  }

  it('refuses a topic that was made again, although it holds more than before', async () => {
    running = await start();
    await running.bulk.publish(arrivals(stream, 20, 10));
    await eventually(async () => expect(await effectsOf(dataSource, SERVICE)).toHaveLength(20));
    await running.stop();
    const topic = topicOf(events.DataArrived.topic, stream);
    await makeAgain(topic, 400);
    running = await start();
    await eventually(() => expect(running?.fatal[0]?.message).toContain(`topic ${topic} was deleted and made again`));
    // Said with what to do; afterwards it begins anew.
    expect(running.fatal[0]?.message).toContain('Remove the rows of this topic from consumer_positions');
    await running.stop();
    await dataSource.query('DELETE FROM consumer_positions WHERE topic = $1', [topic]);
    await dataSource.query('DELETE FROM producer_sequences WHERE topic = $1', [topic]);
    running = await start();
    await eventually(async () =>
      expect(await dataSource.query('SELECT sum(next_offset)::int AS read FROM consumer_positions')).toEqual([
        { read: 400 },
      ]),
    );
    expect(running.fatal).toEqual([]);
  }, 60_000);

  it('notices while it runs that its topic was made again', async () => {
    running = await start();
    await running.bulk.publish(arrivals(stream, 20, 10));
    await eventually(async () => expect(await effectsOf(dataSource, SERVICE)).toHaveLength(20));
    const topic = topicOf(events.DataArrived.topic, stream);
    await makeAgain(topic, 400);
    await eventually(() => expect(running?.fatal[0]?.message).toContain('was deleted and made again'), {
      timeoutMs: 40_000,
    });
    expect(await effectsOf(dataSource, SERVICE)).toHaveLength(20);
  }, 60_000);

  it('takes the id of its topic when it was written before topics had one', async () => {
    running = await start();
    await running.stop();
    const ids = (): Promise<{ topic: string; topic_id: string | null }[]> =>
      dataSource.query('SELECT DISTINCT topic, topic_id FROM consumer_positions ORDER BY topic');
    const before = await ids();
    const topic_id = expect.stringMatching(/^[0-9a-f-]{36}$/) as string;
    expect(before).toEqual([
      { topic: topicOf(events.DataArrived.topic, stream), topic_id },
      { topic: redriveTopicOf(SERVICE), topic_id },
    ]);
    await dataSource.query('UPDATE consumer_positions SET topic_id = NULL');
    running = await start();
    expect(await ids()).toEqual(before);
  }, 30_000);

  it('survives a database that drops every connection', async () => {
    running = await start();
    const publishing = running.bulk.publish(arrivals(stream, 2000, 20));
    for (let round = 0; round < 5; round += 1) {
      await dataSource
        .query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
        )
        .catch(() => undefined);
      const wanted = (round + 1) * 200;
      await eventually(async () =>
        expect((await effectsOf(dataSource, SERVICE)).length).toBeGreaterThanOrEqual(wanted),
      );
    }
    await publishing;
    await eventually(async () => expect(await effectsOf(dataSource, SERVICE)).toHaveLength(2000));
    expect(running.fatal).toEqual([]);
  }, 60_000);
});

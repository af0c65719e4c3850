// A broker that answers nobody for a while: the process stands still, connections stay open, nothing is refused.
import { Controller, Inject } from '@nestjs/common';
import { deadLetterTopicOf, events, topicOf } from '@headrace/contracts';
import { DataArrived, DataRejected } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import {
  BULK_PUBLISHER,
  OnEventBatch,
  openLogReader,
  silentLogger,
  type BulkPublisher,
  type LogEvent,
  type ReceivedEvent,
  type Transaction,
} from '@headrace/messaging';
import {
  createTestDatabase,
  eventually,
  startOwnKafka,
  uniqueName,
  type OwnKafka,
  type TestDatabase,
} from '@headrace/testing';
import { register } from 'prom-client';
import type { DataSource } from 'typeorm';
import { StatusBoard } from '../src/group-status';
import { KafkaLog } from '../src/kafka/kafka-log';
import type { LogMessage } from '../src/log/port';
import { LogWriter } from '../src/log-writer';
import { OutboxRelay } from '../src/outbox-relay';
import { PostgresUnitOfWork } from '../src/unit-of-work';
import { openTestDatabase, startService } from './running-service';
import { arrivals, effectsOf } from './sample-events';

const SERVICE = uniqueName('patient');
const PATIENCE = { timeoutMs: 60_000 };

/** Held back until the broker is away. */
let gate = Promise.resolve();
let calls = 0;

@Controller()
class Republishes {
  constructor(@Inject(BULK_PUBLISHER) private readonly bulk: BulkPublisher) {}

  @OnEventBatch(events.DataArrived, { deadLetter: 'reorder-safe', group: SERVICE })
  async on(arrived: ReceivedEvent<DataArrived>[], transaction: Transaction): Promise<void> {
    calls += 1;
    await gate;
    await this.bulk.publish(
      arrived.map((event) => ({
        definition: events.DataRejected,
        data: DataRejected.fromPartial({ stream: event.data.stream, originalKey: Buffer.from(event.key) }),
        id: `again/${event.eventId}`,
        producer: { shard: `${event.topic}/${event.partition}`, sequence: event.offset },
        cause: event,
        stream: event.data.stream,
      })),
    );
    for (const event of arrived) {
      await transaction.query('INSERT INTO effects (service, key, sequence) VALUES ($1, $2, $3)', [
        SERVICE,
        event.key,
        event.data.upstreamId,
      ]);
    }
  }
}

/** Counts the bytes that it was given and the broker has not acknowledged. */
class CountingWriter extends LogWriter {
  inHand = 0;
  most = 0;

  override async write(messages: readonly LogMessage[]): Promise<void> {
    const bytes = messages.reduce((sum, { value }) => sum + (value?.byteLength ?? 0), 0);
    this.inHand += bytes;
    this.most = Math.max(this.most, this.inHand);
    try {
      await super.write(messages);
    } finally {
      this.inHand -= bytes;
    }
  }
}

async function gauge(name: string): Promise<number> {
  const line = (await register.metrics()).split('\n').find((one) => one.startsWith(`headrace_messaging_${name} `));
  return Number(line?.split(' ').at(-1));
}

describe('while the broker is away', () => {
  jest.setTimeout(120_000);
  let kafka: OwnKafka;
  let database: TestDatabase;
  let dataSource: DataSource;
  let stream: string;

  beforeAll(async () => {
    kafka = await startOwnKafka();
  });

  afterAll(() => kafka.stop());

  beforeEach(async () => {
    database = await createTestDatabase('away');
    dataSource = await openTestDatabase(database.url, 30);
    stream = uniqueName('stream');
  });

  afterEach(async () => {
    kafka.goOn();
    await dataSource.destroy();
    await database.drop();
  });

  async function readAll(topic: string): Promise<LogEvent[]> {
    const reader = openLogReader({ brokers: kafka.brokers, clientId: 'spec' });
    try {
      const ends = await reader.endOffsets(topic);
      const read: LogEvent[] = [];
      const ranges = new Map([...ends].map(([partition, to]) => [partition, { from: 0, to }]));
      await reader.readRange(topic, ranges, (batch) => void read.push(...batch));
      return read;
    } finally {
      await reader.close();
    }
  }

  it('the outbox grows in the database, not in memory, tells so, and is emptied afterwards', async () => {
    const work = new PostgresUnitOfWork(dataSource, SERVICE, 5_000);
    const commit = (from: number, count: number): Promise<void> =>
      work.run((transaction) => {
        for (let n = from; n < from + count; n += 1) {
          const warnings = ['x'.repeat(2_000)];
          const data = DataArrived.fromPartial({ stream, recordKey: `k${n % 9}`, upstreamId: String(n), warnings });
          transaction.publish(events.DataArrived, data, { stream, cause: null });
        }
        return Promise.resolve();
      });
    const depth = async (): Promise<number> => {
      const [row] = (await dataSource.query('SELECT coalesce(sum(events), 0)::int AS depth FROM outbox')) as {
        depth: number;
      }[];
      return row?.depth ?? 0;
    };
    const log = new KafkaLog(SERVICE, kafka.brokers.split(','), silentLogger);
    const writer = new CountingWriter(log);
    const status = new StatusBoard();
    const relay = new OutboxRelay({
      dataSource,
      writer,
      service: SERVICE,
      logger: silentLogger,
      status,
      idleMs: 20_000,
    });
    relay.start();
    await commit(0, 100);
    await eventually(async () => expect(await depth()).toBe(0), PATIENCE);

    kafka.standStill();
    for (let from = 100; from < 4_100; from += 400) await commit(from, 400);
    await eventually(async () => expect(await gauge('outbox_rows')).toBe(4_000), PATIENCE);
    expect(await gauge('outbox_oldest_seconds')).toBeGreaterThan(0);
    expect(writer.inHand).toBeGreaterThan(0);
    // One batch of the relay (2 MB), although 8 MB wait.
    expect(writer.most).toBeLessThanOrEqual(2_500_000);
    expect(await depth()).toBe(4_000);

    kafka.goOn();
    await eventually(async () => expect(await depth()).toBe(0), PATIENCE);
    await eventually(async () => expect(await gauge('outbox_rows')).toBe(0), PATIENCE);
    expect(await gauge('outbox_oldest_seconds')).toBe(0);
    await relay.stop(2_000);
    await writer.close();
    await log.close();
    const read = await readAll(topicOf(events.DataArrived.topic, stream));
    expect(read).toHaveLength(4_100);
    expect(new Set(read.map(({ eventId }) => eventId)).size).toBe(4_100);
  });

  it('a handler that publishes in bulk waits for it: the event is not at fault, and is applied once', async () => {
    let open = (): void => undefined;
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const running = await startService({
      service: SERVICE,
      brokers: kafka.brokers.split(','),
      dataSource,
      controllers: [Republishes],
      subscribe: (subscriptions) => subscriptions.set(SERVICE, events.DataArrived, [stream]),
      // One fault, and the event is a dead letter.
      tuning: { maxAttempts: 1, handlerDeadlineMs: 1_000 },
    });
    try {
      await running.bulk.publish(arrivals(stream, 1, 1));
      await eventually(() => expect(calls).toBe(1), PATIENCE);
      kafka.standStill();
      open();
      await eventually(
        () => expect(running.health.status().reasons.join()).toContain('the broker has not acknowledged anything'),
        PATIENCE,
      );
      // Others are refused at once instead of waiting in memory behind it.
      await expect(running.bulk.publish(arrivals(stream, 1, 1, 100))).rejects.toThrow('has not acknowledged');
      kafka.goOn();
      await eventually(async () => expect(await effectsOf(dataSource, SERVICE)).toHaveLength(1), PATIENCE);
      await eventually(() => expect(running.health.status().ready).toBe(true), PATIENCE);
      expect(await dataSource.query('SELECT * FROM delivery_attempts')).toEqual([]);
      const topic = topicOf(events.DataArrived.topic, stream);
      expect(await readAll(deadLetterTopicOf(topic, SERVICE))).toEqual([]);
      // Written twice, read once.
      expect(await readAll(topicOf(events.DataRejected.topic, stream))).toHaveLength(1);
    } finally {
      kafka.goOn();
      await running.stop();
    }
  });
});

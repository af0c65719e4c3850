import { randomUUID } from 'node:crypto';
import { events, topicOf } from '@headrace/contracts';
import { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { createTestDatabase, eventually, uniqueName, testKafkaBrokers, type TestDatabase } from '@headrace/testing';
import { EventTooLarge, silentLogger, type LogEvent } from '@headrace/messaging';
import type { DataSource } from 'typeorm';
import { StatusBoard } from '../src/group-status';
import { KafkaLog } from '../src/kafka/kafka-log';
import { LogWriter } from '../src/log-writer';
import { OutboxRelay } from '../src/outbox-relay';
import { PostgresUnitOfWork } from '../src/unit-of-work';
import { openTestDatabase, startService, type RunningService } from './running-service';
import { recordsOf } from './sample-events';

describe('outbox', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let running: RunningService | undefined;
  let stream: string;
  let topic: string;
  const service = uniqueName('outbox');

  beforeEach(async () => {
    database = await createTestDatabase('outbox');
    dataSource = await openTestDatabase(database.url, 30);
    stream = uniqueName('stream');
    topic = topicOf(events.DataArrived.topic, stream);
  });

  afterEach(async () => {
    await running?.stop();
    running = undefined;
    await dataSource.destroy();
    await database.drop();
  });

  const unitOfWork = (): PostgresUnitOfWork => new PostgresUnitOfWork(dataSource, service, 5000);
  const depth = async (): Promise<number> => {
    const [row] = (await dataSource.query('SELECT count(*)::int AS depth FROM outbox')) as { depth: number }[];
    return row?.depth ?? 0;
  };
  const publish = (count: number, keys: number, from = 1): Promise<void> =>
    unitOfWork().run((transaction) => {
      for (let n = from; n < from + count; n += 1) {
        const data = DataArrived.fromPartial({ stream, recordKey: `k${n % keys}`, upstreamId: String(n) });
        transaction.publish(events.DataArrived, data, { stream, cause: null });
      }
      return Promise.resolve();
    });
  const relay = (
    onAcknowledged?: () => Promise<void>,
    idleMs = 20_000,
  ): { relay: OutboxRelay; close: () => Promise<void> } => {
    const log = new KafkaLog(service, testKafkaBrokers(), silentLogger);
    const writer = new LogWriter(log);
    const made = new OutboxRelay({
      dataSource,
      writer,
      service,
      logger: silentLogger,
      status: new StatusBoard(),
      idleMs,
      ...(onAcknowledged ? { onAcknowledged } : {}),
    });
    made.start();
    return {
      relay: made,
      close: async () => {
        await made.stop(2000);
        await writer.close();
        await log.close();
      },
    };
  };

  it('publishes what commits and nothing of what rolls back', async () => {
    running = await startService({ service, dataSource });
    await running.unitOfWork.run(async (transaction) => {
      await transaction.query(`INSERT INTO effects (service, key) VALUES ('x', 'kept')`);
      transaction.publish(events.DataArrived, DataArrived.fromPartial({ stream, recordKey: 'kept' }), {
        stream,
        cause: null,
      });
    });
    const failing = running.unitOfWork.run((transaction) => {
      transaction.publish(events.DataArrived, DataArrived.fromPartial({ stream, recordKey: 'lost' }), {
        stream,
        cause: null,
      });
      return Promise.reject(new Error('no'));
    });
    await expect(failing).rejects.toThrow('no');
    await eventually(async () => expect(await recordsOf(topic)).toHaveLength(1));
    expect((await recordsOf(topic))[0]?.key?.toString()).toBe('kept');
    await eventually(async () => expect(await depth()).toBe(0));
  }, 30_000);

  it('demands a cause outside handlers, and carries correlation and trace from it', async () => {
    running = await startService({ service, dataSource });
    await expect(
      running.unitOfWork.run((transaction) =>
        Promise.resolve(transaction.publish(events.DataArrived, DataArrived.fromPartial({}), { stream })),
      ),
    ).rejects.toThrow('a cause must be given');
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const cause = { eventId: randomUUID(), correlationId: 'loop-1', traceparent };
    await running.unitOfWork.run((transaction) =>
      Promise.resolve(
        transaction.publish(events.DataArrived, DataArrived.fromPartial({ recordKey: 'k' }), { stream, cause }),
      ),
    );
    const [record] = await eventually(async () => {
      const records = await recordsOf(topic);
      expect(records).toHaveLength(1);
      return records;
    });
    const text = (name: string): string | undefined => record?.headers?.[name]?.toString();
    expect(text('ce_correlationid')).toBe('loop-1');
    expect(text('ce_causationid')).toBe(cause.eventId);
    // The same trace, and a span of its own.
    expect(text('traceparent')).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(text('traceparent')).not.toBe(traceparent);
    expect(text('ce_source')).toBe(`/headrace/${service}`);
    expect(text('ce_producershard')).toMatch(new RegExp(`^${service}/[0-9a-f-]{36}/[0-7]$`));
  }, 30_000);

  it('publishes again what a relay left that died between acknowledgement and clean-up; readers drop it', async () => {
    let deaths = 2;
    const { close } = relay(() => {
      deaths -= 1;
      return deaths >= 0 ? Promise.reject(new Error('killed')) : Promise.resolve();
    });
    await publish(100, 5);
    await eventually(async () => expect(await depth()).toBe(0));
    await close();
    expect(await recordsOf(topic)).toHaveLength(300);
    running = await startService({ service, dataSource });
    const ends = await running.reader.endOffsets(topic);
    const read: LogEvent[] = [];
    await running.reader.readRange(
      topic,
      new Map([...ends].map(([partition, to]) => [partition, { from: 0, to }])),
      (batch) => void read.push(...batch),
    );
    expect(new Set(read.map(({ eventId }) => eventId)).size).toBe(100);
    expect(read).toHaveLength(100);
  }, 30_000);

  it('keeps the order of commits for each key with two relays and many writers', async () => {
    const relays = [relay(), relay()];
    let next = 0;
    const counts = new Map<string, number>();
    // Each writer counts its key's row up in the same transaction: the order of commits is what it read.
    await dataSource.query('CREATE TABLE counters (key text PRIMARY KEY, n bigint NOT NULL)');
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        while (next < 400) {
          next += 1;
          const key = `k${next % 3}`;
          await unitOfWork().run(async (transaction) => {
            const [row] = await transaction.query<{ n: string }>(
              `INSERT INTO counters VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET n = counters.n + 1 RETURNING n`,
              [key],
            );
            const data = DataArrived.fromPartial({ stream, recordKey: key, upstreamId: row?.n ?? '' });
            transaction.publish(events.DataArrived, data, { stream, cause: null });
          });
        }
      }),
    );
    await eventually(async () => expect(await depth()).toBe(0));
    await Promise.all(relays.map(({ close }) => close()));
    for (const record of await recordsOf(topic)) {
      const key = record.key?.toString() ?? '';
      const n = Number(DataArrived.decode(record.value ?? Buffer.alloc(0)).upstreamId);
      expect(n).toBe((counts.get(key) ?? 0) + 1);
      counts.set(key, n);
    }
    expect([...counts.values()].reduce((sum, n) => sum + n, 0)).toBe(next);
  }, 40_000);

  it('lets another relay take over at once when its owner leaves, and soon when its session is ended', async () => {
    const first = relay();
    await publish(10, 10);
    await eventually(async () => expect(await depth()).toBe(0));
    const second = relay();
    await dataSource.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()`,
    );
    await publish(10, 10, 11);
    await eventually(async () => expect(await depth()).toBe(0));
    await first.close();
    await publish(10, 10, 21);
    await eventually(async () => expect(await depth()).toBe(0));
    await second.close();
    expect(new Set((await recordsOf(topic)).map(({ headers }) => headers?.['ce_id']?.toString())).size).toBe(30);
  }, 30_000);

  it('frees the shards of a relay that stands still; what that one published comes again, as a repeat', async () => {
    let wake = (): void => undefined;
    const stopped = new Promise<void>((resolve) => {
      wake = resolve;
    });
    let acknowledged = false;
    const still = relay(() => {
      acknowledged = true;
      return stopped;
    }, 500);
    await publish(10, 10);
    await eventually(() => expect(acknowledged).toBe(true));
    const other = relay();
    await eventually(async () => expect(await depth()).toBe(0));
    await other.close();
    wake();
    await still.close();
    const ids = (await recordsOf(topic)).map(({ headers }) => headers?.['ce_id']?.toString());
    expect(ids).toHaveLength(20);
    expect(new Set(ids).size).toBe(10);
  }, 30_000);

  it('empties a long outbox in batches, within the size that the broker takes', async () => {
    await publish(5000, 100);
    await unitOfWork().run((transaction) => {
      for (const recordKey of ['large-1', 'large-2', 'large-3']) {
        const data = DataArrived.fromPartial({ stream, recordKey, warnings: ['x'.repeat(900_000)] });
        transaction.publish(events.DataArrived, data, { stream, cause: null });
      }
      return Promise.resolve();
    });
    const { close } = relay();
    await eventually(async () => expect(await depth()).toBe(0), { timeoutMs: 30_000 });
    await close();
    expect(await recordsOf(topic)).toHaveLength(5003);
  }, 60_000);

  it('refuses an event that the broker would not take, before anything is committed', async () => {
    const data = DataArrived.fromPartial({ stream, recordKey: 'k', warnings: ['x'.repeat(1_000_001)] });
    const refused = unitOfWork().run((transaction) =>
      Promise.resolve(transaction.publish(events.DataArrived, data, { stream, cause: null })),
    );
    const error: unknown = await refused.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EventTooLarge);
    expect(error).toMatchObject({ eventType: events.DataArrived.type, key: 'k', limit: 1_000_000 });
    expect((error as EventTooLarge).bytes).toBeGreaterThan(1_000_000);
    expect((error as EventTooLarge).message).toContain('at most 1000000');
    expect(await depth()).toBe(0);
  });
});

// What a service may rely on, whatever log lies below: run against Kafka and against the log in memory.
import { Controller } from '@nestjs/common';
import { deadLetterTopicOf, events, topicOf } from '@headrace/contracts';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { createTestDatabase, eventually, uniqueName, type TestDatabase } from '@headrace/testing';
import {
  OnEvent,
  OnRecordBatch,
  silentLogger,
  type Brokers,
  type Outcome,
  type RawRecord,
  type ReceivedEvent,
  type Transaction,
} from '@headrace/messaging';
import type { DataSource } from 'typeorm';
import type { EventLog } from '../src/log/port';
import { openLog } from '../src/open-log';
import { logConformance } from './conformance-log';
import { openTestDatabase, startService, type RunningService } from './running-service';
import { arrival, arrivals, effectsOf, inversions } from './sample-events';
import { wholeTopic } from './whole-topic';

const SERVICE = uniqueName('conformance');
const UPSTREAM = uniqueName('upstream');

/** What the handler does after its effect, before its transaction commits; by the event's id in its source system. */
const afterEffect = new Map<string, (transaction: Transaction) => Promise<Outcome | void>>();
const calls: string[] = [];

@Controller()
class Handlers {
  @OnEvent(events.DataArrived, { deadLetter: 'reorder-safe' })
  async on(event: ReceivedEvent<DataArrived>, transaction: Transaction): Promise<Outcome | void> {
    const { upstreamId } = event.data;
    calls.push(upstreamId);
    await insert(transaction, SERVICE, event.key, upstreamId, '');
    return afterEffect.get(upstreamId)?.(transaction);
  }

  @OnRecordBatch(UPSTREAM, { deadLetter: 'reorder-safe' })
  async onRecords(records: RawRecord[], transaction: Transaction): Promise<void> {
    for (const { key, offset, value, headers } of records) {
      const pairs = Object.entries(headers).map(([name, header]) => `${name}=${header.toString('hex')}`);
      const note = [value?.toString('hex'), ...pairs].join(' ');
      await insert(transaction, UPSTREAM, String(key), String(offset), note);
    }
  }
}

async function insert(
  transaction: Transaction,
  ...effect: [service: string, key: string, sequence: string, note: string]
): Promise<void> {
  await transaction.query('INSERT INTO effects (service, key, sequence, note) VALUES ($1, $2, $3, $4)', effect);
}

/** `brokers` is asked within the tests. */
export function conformance(name: string, brokers: () => Brokers): void {
  describe(`a log ${name}`, () => {
    logConformance(brokers);
  });

  describe(`a service on a log ${name}`, () => {
    let database: TestDatabase;
    let dataSource: DataSource;
    let log: EventLog;
    let stream: string;
    let foreign: readonly string[];
    const running: RunningService[] = [];

    beforeAll(async () => {
      database = await createTestDatabase('conformance');
      dataSource = await openTestDatabase(database.url, 40);
      log = openLog(brokers(), 'conformance', silentLogger);
    });

    beforeEach(async () => {
      stream = uniqueName('stream');
      foreign = [];
      afterEffect.clear();
      calls.length = 0;
      await dataSource.query('DELETE FROM effects');
    });

    afterEach(async () => {
      await Promise.all(running.splice(0).map((service) => service.stop()));
    });

    afterAll(async () => {
      await log.close();
      await dataSource.destroy();
      await database.drop();
    });

    const start = async (): Promise<RunningService> => {
      const started = await startService({
        service: SERVICE,
        brokers: brokers(),
        dataSource,
        controllers: [Handlers],
        subscribe: (subscriptions) => {
          subscriptions.set(SERVICE, events.DataArrived, [stream]);
          subscriptions.setForeign(UPSTREAM, foreign);
        },
      });
      running.push(started);
      return started;
    };
    const stop = async (service: RunningService): Promise<void> => {
      running.splice(running.indexOf(service), 1);
      await service.stop();
    };
    const topic = (): string => topicOf(events.DataArrived.topic, stream);
    const letters = (): Promise<RawRecord[]> => wholeTopic(log, deadLetterTopicOf(topic(), SERVICE));
    const numbers = async (): Promise<number[]> =>
      (await effectsOf(dataSource, SERVICE)).map(({ sequence }) => sequence).sort((a, b) => a - b);
    const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
    const allInOrder = async (last: number): Promise<void> => {
      await eventually(async () => expect((await numbers()).length).toBeGreaterThanOrEqual(last), {
        timeoutMs: 30_000,
      });
      expect(await numbers()).toEqual(upTo(last));
      expect(inversions(await effectsOf(dataSource, SERVICE))).toEqual([]);
    };

    it('applies what is published once, in order for each key', async () => {
      const { bulk } = await start();
      for (let from = 1; from <= 600; from += 200) await bulk.publish(arrivals(stream, 200, 20, from));
      await allInOrder(600);
    }, 60_000);

    it('gives an event again whose transaction was lost between effect and commit, without a second effect', async () => {
      const { bulk } = await start();
      let lost = false;
      afterEffect.set('7', async (transaction) => {
        if (lost) return;
        lost = true;
        await transaction.query('SELECT pg_terminate_backend(pg_backend_pid())');
      });
      await bulk.publish(arrivals(stream, 40, 5));
      await allInOrder(40);
      expect(calls.filter((call) => call === '7').length).toBeGreaterThanOrEqual(2);
    }, 60_000);

    it('drops what a producer wrote twice, also across a restart', async () => {
      const first = await start();
      await first.bulk.publish(arrivals(stream, 30, 5));
      await first.bulk.publish(arrivals(stream, 30, 5));
      await allInOrder(30);
      await stop(first);
      const second = await start();
      await second.bulk.publish(arrivals(stream, 30, 5));
      await second.bulk.publish(arrivals(stream, 10, 5, 31));
      await allInOrder(40);
      expect(await wholeTopic(log, topic())).toHaveLength(100);
    }, 60_000);

    it('brings key, value and headers of a foreign record to the handler byte for byte', async () => {
      const upstream = uniqueName('foreign');
      foreign = [upstream];
      await log.createTopics([{ name: upstream, partitions: 1, cleanup: 'delete', retentionMs: -1 }]);
      await start();
      const producer = await log.connectProducer();
      const headers = { a: Buffer.from([0, 255, 10]), b: 'text', c: Buffer.alloc(0) };
      await producer.send([{ topic: upstream, key: Buffer.from('k'), value: Buffer.from([255, 0]), headers }]);
      await producer.close();
      await eventually(async () =>
        expect(await effectsOf(dataSource, UPSTREAM)).toEqual([
          { key: 'k', sequence: 0, note: 'ff00 a=00ff0a b=74657874 c=' },
        ]),
      );
    }, 60_000);

    it('sends poison to the dead letters, whole and with its reason, and goes on with the rest', async () => {
      const { bulk } = await start();
      await bulk.publish(arrivals(stream, 5, 1));
      const value = Buffer.from([0xff, 0x00, 0xfe]);
      const producer = await log.connectProducer();
      await producer.send([
        { topic: topic(), key: Buffer.from('k0'), value, headers: { strange: Buffer.from([0, 128]) } },
      ]);
      await producer.close();
      afterEffect.set('8', () => Promise.resolve({ kind: 'rejected', code: 'not_mine', message: 'elsewhere' }));
      await bulk.publish(arrivals(stream, 5, 1, 6));
      await eventually(async () => expect(await numbers()).toEqual([1, 2, 3, 4, 5, 6, 7, 9, 10]));
      const dead = await eventually(async () => {
        const found = await letters();
        expect(found).toHaveLength(2);
        return found;
      });
      expect(dead.map(({ headers }) => headers['dlq_reason']?.toString())).toEqual(['undecodable', 'rejected']);
      expect(dead[0]?.value?.equals(value)).toBe(true);
      expect(dead[0]?.headers['strange']).toEqual(Buffer.from([0, 128]));
      expect(dead[1]?.headers['ce_id']?.toString()).toBe('upstream/0/8');
    }, 60_000);

    it('pauses a partition during a transient fault, says so, and resumes in order', async () => {
      const { bulk, health } = await start();
      let away = true;
      afterEffect.set('5', () => Promise.resolve(away ? { kind: 'transient', message: 'away' } : { kind: 'done' }));
      await bulk.publish(arrivals(stream, 20, 4));
      await eventually(() => expect(health.status()).toMatchObject({ ready: false, paused: [{ group: SERVICE }] }));
      expect(await numbers()).not.toContain(5);
      away = false;
      await allInOrder(20);
      await eventually(() => expect(health.status()).toMatchObject({ ready: true, paused: [] }));
    }, 60_000);

    it('loses nothing and doubles nothing while a second instance joins and leaves', async () => {
      const stays = await start();
      const publishing = (async () => {
        for (let from = 1; from <= 2000; from += 100) await stays.bulk.publish(arrivals(stream, 100, 40, from));
      })();
      const comes = await start();
      await comes.bulk.publish([arrival(stream, 'other', 1, 'other/0')]);
      await stop(comes);
      await publishing;
      await eventually(async () => expect((await numbers()).length).toBeGreaterThanOrEqual(2001), {
        timeoutMs: 30_000,
      });
      expect(await numbers()).toEqual([1, ...upTo(2000)]);
      expect(inversions(await effectsOf(dataSource, SERVICE))).toEqual([]);
    }, 60_000);

    it('finishes and commits the batch in hand when it is stopped; the next instance goes on behind it', async () => {
      const first = await start();
      let release = (): void => undefined;
      const gate = new Promise<void>((resolve) => (release = resolve));
      afterEffect.set('3', () => gate);
      await first.bulk.publish(arrivals(stream, 10, 1));
      await eventually(() => expect(calls).toContain('3'));
      const stopping = stop(first);
      release();
      await stopping;
      const done = await numbers();
      expect(done).toEqual(upTo(done.length));
      expect(done).toContain(3);
      const positions: unknown = await dataSource.query(
        'SELECT max(next_offset)::int AS next FROM consumer_positions WHERE topic = $1',
        [topic()],
      );
      expect(positions).toEqual([{ next: done.length }]);
      const second = await start();
      await second.bulk.publish(arrivals(stream, 10, 1, 11));
      await allInOrder(20);
    }, 60_000);

    it('shows everything to every broadcast reader, then goes on live, and reads exact ranges', async () => {
      const { bulk, reader } = await start();
      await bulk.publish(arrivals(stream, 200, 10));
      const seen: [number[], number[]] = [[], []];
      const idOf = (data: unknown): number => Number((data as DataArrived).upstreamId);
      const subscriptions = await Promise.all(
        seen.map((ids) => reader.broadcast(topic(), ({ data }) => void ids.push(idOf(data)))),
      );
      await Promise.all(subscriptions.map(({ caughtUp }) => caughtUp));
      const sorted = (ids: number[]): number[] => [...ids].sort((a, b) => a - b);
      expect(seen.map(sorted)).toEqual([upTo(200), upTo(200)]);
      await bulk.publish(arrivals(stream, 50, 10, 201));
      await eventually(() => expect(seen.map(sorted)).toEqual([upTo(250), upTo(250)]));
      await Promise.all(subscriptions.map((subscription) => subscription.close()));
      const ends = await reader.endOffsets(topic());
      const read: number[] = [];
      const ranges = new Map([...ends].map(([partition, to]) => [partition, { from: Math.min(2, to), to }]));
      await reader.readRange(topic(), ranges, (batch) => void read.push(...batch.map(({ offset }) => offset)));
      const expected = [...ranges.values()].reduce((sum, { from, to }) => sum + to - from, 0);
      expect(read).toHaveLength(expected);
      expect(read.every((offset) => offset >= 2)).toBe(true);
    }, 60_000);
  });
}

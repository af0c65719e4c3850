import { Controller } from '@nestjs/common';
import { deadLetterTopicOf, events, topicOf } from '@headrace/contracts';
import type { DataArrived, DataRejected } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { createTestDatabase, eventually, uniqueName, type TestDatabase } from '@headrace/testing';
import { OnEvent, OnEventBatch, type Outcome, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import type { DataSource } from 'typeorm';
import { openTestDatabase, startService, type RunningService } from './running-service';
import { arrival, arrivals, effectsOf, inversions, kafka, recordsOf } from './sample-events';

const SERVICE = uniqueName('outcomes');
const PARKING = uniqueName('parking');
const LISTS = uniqueName('lists');

/** What the handlers answer or do, by the event's id in its source system. */
const behaviour = new Map<string, () => Promise<Outcome | void>>();
const calls: string[] = [];

async function apply(
  service: string,
  event: ReceivedEvent<DataArrived>,
  transaction: Transaction,
): Promise<Outcome | void> {
  calls.push(`${service} ${event.data.upstreamId}`);
  await transaction.query('INSERT INTO effects (service, key, sequence) VALUES ($1, $2, $3)', [
    service,
    event.key,
    event.data.upstreamId,
  ]);
  return behaviour.get(event.data.upstreamId)?.();
}

@Controller()
class GoesOn {
  @OnEvent(events.DataArrived, { deadLetter: 'reorder-safe', group: SERVICE })
  on(event: ReceivedEvent<DataArrived>, transaction: Transaction): Promise<Outcome | void> {
    return apply(SERVICE, event, transaction);
  }
}

@Controller()
class Parks {
  @OnEvent(events.DataArrived, { deadLetter: 'park-key', group: PARKING, notYetExpiryMs: 3000 })
  async on(event: ReceivedEvent<DataArrived>, transaction: Transaction): Promise<Outcome | void> {
    const [cause] = await transaction.query('SELECT 1 FROM effects WHERE service = $1 AND note = $2', [
      PARKING,
      `cause of ${event.data.upstreamId}`,
    ]);
    if (event.data.warnings.includes('needs cause') && !cause) return { kind: 'not-yet', waitsFor: 'its cause' };
    return apply(PARKING, event, transaction);
  }

  @OnEvent(events.DataRejected, { deadLetter: 'reorder-safe', group: PARKING })
  async onCause(event: ReceivedEvent<DataRejected>, transaction: Transaction): Promise<void> {
    await transaction.query('INSERT INTO effects (service, key, sequence, note) VALUES ($1, $2, 0, $3)', [
      PARKING,
      'cause',
      `cause of ${event.data.streamVersion}`,
    ]);
  }
}

@Controller()
class Lists {
  @OnEventBatch(events.DataArrived, { deadLetter: 'reorder-safe', group: LISTS })
  async on(arrived: ReceivedEvent<DataArrived>[], transaction: Transaction): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const event of arrived) {
      const outcome = (await behaviour.get(event.data.upstreamId)?.()) ?? { kind: 'done' };
      if (outcome.kind === 'done') {
        await transaction.query('INSERT INTO effects (service, key, sequence) VALUES ($1, $2, $3)', [
          LISTS,
          event.key,
          event.data.upstreamId,
        ]);
      }
      outcomes.push(outcome);
    }
    return outcomes;
  }
}

describe('outcomes', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let running: RunningService;
  let stream: string;

  const dlqOf = (group: string): string => deadLetterTopicOf(topicOf(events.DataArrived.topic, stream), group);
  const numbers = async (service: string): Promise<number[]> =>
    (await effectsOf(dataSource, service)).map(({ sequence }) => sequence).sort((a, b) => a - b);

  /** Only this group reads the stream of the test. */
  function listen(listening: string): void {
    for (const group of [SERVICE, PARKING, LISTS]) {
      running.subscriptions.set(group, events.DataArrived, group === listening ? [stream] : []);
    }
    running.subscriptions.set(PARKING, events.DataRejected, listening === PARKING ? [stream] : []);
  }

  beforeAll(async () => {
    database = await createTestDatabase('outcomes');
    dataSource = await openTestDatabase(database.url, 30);
    running = await startService({
      service: SERVICE,
      dataSource,
      controllers: [GoesOn, Parks, Lists],
      tuning: { handlerDeadlineMs: 1000 },
    });
  });

  beforeEach(async () => {
    stream = uniqueName('stream');
    behaviour.clear();
    calls.length = 0;
    await dataSource.query('DELETE FROM effects');
    await dataSource.query('DELETE FROM parked_events');
  });

  afterAll(async () => {
    await running.stop();
    await dataSource.destroy();
    await database.drop();
  });

  it('dead-letters what the handler refuses, without its effects, and goes on', async () => {
    listen(SERVICE);
    behaviour.set('7', () => Promise.resolve({ kind: 'rejected', code: 'not_mine', message: 'belongs elsewhere' }));
    await running.bulk.publish(arrivals(stream, 20, 1));
    await eventually(async () => expect(await numbers(SERVICE)).toHaveLength(19));
    expect(await numbers(SERVICE)).not.toContain(7);
    const [letter] = await eventually(async () => {
      const letters = await recordsOf(dlqOf(SERVICE));
      expect(letters).toHaveLength(1);
      return letters;
    });
    const headers = letter?.headers ?? {};
    expect(headers['dlq_reason']?.toString()).toBe('rejected');
    expect(headers['dlq_code']?.toString()).toBe('not_mine');
    expect(headers['ce_id']?.toString()).toBe('upstream/0/7');
    expect(headers['ce_producersequence']?.toString()).toBe('7');
  }, 30_000);

  it('dead-letters bytes that cannot be read with their reason, unchanged, and goes on', async () => {
    listen(SERVICE);
    await running.bulk.publish(arrivals(stream, 5, 1));
    const topic = topicOf(events.DataArrived.topic, stream);
    const producer = kafka().producer();
    await producer.connect();
    const value = Buffer.from([0xff, 0x00, 0xfe]);
    const base = {
      ce_specversion: '1.0',
      ce_id: 'x',
      ce_source: '/x',
      ce_time: '2026-01-01T00:00:00Z',
      ce_correlationid: 'x',
      ce_producershard: 'other',
      ce_producersequence: '1',
      'content-type': 'application/protobuf',
    };
    await producer.send({
      topic,
      messages: [
        { key: 'k0', value, headers: { ...base, ce_type: events.DataArrived.type } },
        { key: 'k0', value, headers: { ...base, ce_type: 'headrace.unheard.v1.Of' } },
        { key: 'k0', value, headers: {} },
      ],
    });
    await producer.disconnect();
    await running.bulk.publish(arrivals(stream, 5, 1, 6));
    await eventually(async () => expect(await numbers(SERVICE)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
    const letters = await eventually(async () => {
      const all = await recordsOf(dlqOf(SERVICE));
      expect(all).toHaveLength(3);
      return all;
    });
    expect(letters.map(({ headers }) => headers?.['dlq_reason']?.toString())).toEqual([
      'undecodable',
      'unknown_type',
      'undecodable',
    ]);
    expect(letters[2]?.headers?.['dlq_message']?.toString()).toContain('ce_specversion');
    expect(letters[2]?.headers?.['ce_producershard']).toBeUndefined();
    expect(letters.every((letter) => letter.value?.equals(value) && letter.key?.toString() === 'k0')).toBe(true);
  }, 30_000);

  it('waits out a transient failure and keeps the order', async () => {
    listen(SERVICE);
    let isAway = true;
    behaviour.set('5', () =>
      Promise.resolve(isAway ? { kind: 'transient', message: 'the store is away' } : { kind: 'done' }),
    );
    await running.bulk.publish(arrivals(stream, 10, 1));
    await eventually(() => expect(running.health.status().paused.some(({ group }) => group === SERVICE)).toBe(true));
    isAway = false;
    await eventually(async () => expect(await numbers(SERVICE)).toHaveLength(10));
    expect(inversions(await effectsOf(dataSource, SERVICE))).toEqual([]);
    await eventually(() => expect(running.health.status()).toMatchObject({ ready: true, paused: [] }));
  }, 30_000);

  it('takes a lost database connection and a deadlock for transient, however often they come', async () => {
    listen(SERVICE);
    let failures = 8;
    behaviour.set('3', () => {
      failures -= 1;
      if (failures <= 0) return Promise.resolve();
      const error = failures % 2 ? { code: '40P01' } : { code: 'ECONNRESET' };
      return Promise.reject(Object.assign(new Error('away'), error));
    });
    await running.bulk.publish(arrivals(stream, 6, 1));
    await eventually(async () => expect(await numbers(SERVICE)).toEqual([1, 2, 3, 4, 5, 6]));
    expect(await recordsOf(dlqOf(SERVICE))).toEqual([]);
  }, 30_000);

  it('tries an event that fails for unknown reasons five times, then dead-letters it with the stack', async () => {
    listen(SERVICE);
    behaviour.set('4', () => Promise.reject(new Error('a bug')));
    await running.bulk.publish(arrivals(stream, 8, 1));
    await eventually(async () => expect(await numbers(SERVICE)).toEqual([1, 2, 3, 5, 6, 7, 8]));
    const letters = await eventually(async () => {
      const all = await recordsOf(dlqOf(SERVICE));
      expect(all).toHaveLength(1);
      return all;
    });
    expect(letters[0]?.headers?.['dlq_reason']?.toString()).toBe('fault');
    expect(letters[0]?.headers?.['dlq_stack']?.toString()).toContain('outcomes.int-spec');
    // With the chunks that it took down while they were halved, then five times alone: bounded.
    expect(calls.filter((call) => call === `${SERVICE} 4`).length).toBeLessThanOrEqual(10);
    expect(await dataSource.query('SELECT * FROM delivery_attempts WHERE consumer_group = $1', [SERVICE])).toEqual([]);
  }, 30_000);

  it('ends a handler that hangs at its deadline and dead-letters its event after the last try', async () => {
    listen(SERVICE);
    behaviour.set('2', () => new Promise(() => undefined));
    await running.bulk.publish(arrivals(stream, 3, 1));
    await eventually(async () => expect(await numbers(SERVICE)).toEqual([1, 3]), { timeoutMs: 20_000 });
    const letters = await eventually(async () => {
      const all = await recordsOf(dlqOf(SERVICE));
      expect(all).toHaveLength(1);
      return all;
    });
    expect(letters[0]?.headers?.['dlq_reason']?.toString()).toBe('deadline');
  }, 40_000);

  it('lets a batch handler refuse some of its events', async () => {
    listen(LISTS);
    behaviour.set('7', () => Promise.resolve({ kind: 'rejected', code: 'bad', message: 'bad' }));
    behaviour.set('9', () => Promise.resolve({ kind: 'rejected', code: 'bad', message: 'bad' }));
    await running.bulk.publish(arrivals(stream, 100, 3));
    await eventually(async () => expect(await numbers(LISTS)).toHaveLength(98));
    await eventually(async () => expect(await recordsOf(dlqOf(LISTS))).toHaveLength(2));
  }, 30_000);

  it('finds the event that makes a batch fail by halving, and applies the others', async () => {
    listen(LISTS);
    behaviour.set('60', () => Promise.reject(new Error('a bug')));
    await running.bulk.publish(arrivals(stream, 100, 1));
    await eventually(async () => expect(await numbers(LISTS)).toHaveLength(99));
    expect(inversions(await effectsOf(dataSource, LISTS))).toEqual([]);
    await eventually(async () => expect(await recordsOf(dlqOf(LISTS))).toHaveLength(1));
  }, 30_000);

  describe('with park-key', () => {
    const early = (key: string, sequence: number) => {
      const message = arrival(stream, key, sequence);
      return { ...message, data: { ...message.data, warnings: ['needs cause'] } };
    };
    const cause = (upstreamId: string, sequence: number) => ({
      definition: events.DataRejected,
      data: {
        stream,
        streamVersion: upstreamId,
        violations: [],
        originalValue: new Uint8Array(),
        originalKey: Buffer.from('cause'),
        originalHeaders: {},
        origin: undefined,
        rejectedAtMicros: 0,
        originalSize: 0,
      } satisfies DataRejected,
      id: `cause/${sequence}`,
      producer: { shard: 'causes', sequence },
      cause: null,
      stream,
    });

    it('applies an early event once, after its cause, and what waited behind it in order', async () => {
      listen(PARKING);
      await running.bulk.publish([
        arrival(stream, 'a', 1),
        early('a', 2),
        arrival(stream, 'a', 3),
        arrival(stream, 'b', 4),
      ]);
      await eventually(async () => expect(await numbers(PARKING)).toEqual([1, 4]));
      await running.bulk.publish([cause('2', 1)]);
      await eventually(async () => expect(await numbers(PARKING)).toEqual([0, 1, 2, 3, 4]));
      const effects = await effectsOf(dataSource, PARKING);
      expect(effects.filter(({ key }) => key === 'a').map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
      await running.bulk.publish([arrival(stream, 'a', 5)]);
      await eventually(async () => expect(await numbers(PARKING)).toContain(5));
      expect(await dataSource.query('SELECT * FROM parked_events')).toEqual([]);
    }, 30_000);

    it('dead-letters an early event whose cause never comes, and holds its key for the redrive', async () => {
      listen(PARKING);
      await running.bulk.publish([early('a', 1), arrival(stream, 'a', 2), arrival(stream, 'b', 3)]);
      const letters = await eventually(async () => {
        const all = await recordsOf(dlqOf(PARKING));
        expect(all).toHaveLength(1);
        return all;
      });
      expect(letters[0]?.headers?.['dlq_reason']?.toString()).toBe('expired');
      expect(await numbers(PARKING)).toEqual([3]);
      const parked: unknown = await dataSource.query(
        'SELECT state FROM parked_events WHERE consumer_group = $1 ORDER BY source_offset',
        [PARKING],
      );
      expect(parked).toEqual([{ state: 'dead' }, { state: 'behind' }]);
    }, 30_000);
  });
});

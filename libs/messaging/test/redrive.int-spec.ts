import { Controller } from '@nestjs/common';
import { events, redriveTopicOf, topicOf } from '@headrace/contracts';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { createTestDatabase, eventually, testKafkaBrokers, uniqueName, type TestDatabase } from '@headrace/testing';
import {
  OnEvent,
  OnRecordBatch,
  openDeadLetters,
  type DeadLetters,
  type Letter,
  type Outcome,
  type RawRecord,
  type ReceivedEvent,
  type RedriveAction,
  type Transaction,
} from '@headrace/messaging';
import type { DataSource } from 'typeorm';
import { openTestDatabase, startService, type RunningService } from './running-service';
import { arrival, arrivals, effectsOf, inversions, kafka, recordsOf } from './sample-events';

const BROKEN = uniqueName('broken');
const SOUND = uniqueName('sound');
const PARKING = uniqueName('parking');
const FOREIGN = uniqueName('foreign');

/** What the handlers of the broken groups answer or do, by the event's number. */
const behaviour = new Map<number, (transaction: Transaction) => Promise<Outcome | void>>();
const refuse = (): Promise<Outcome> => Promise.resolve({ kind: 'rejected', code: 'not_mine', message: 'not yet' });

async function effect(service: string, key: string, sequence: number, transaction: Transaction, note = '') {
  await transaction.query('INSERT INTO effects (service, key, sequence, note) VALUES ($1, $2, $3, $4)', [
    service,
    key,
    sequence,
    note,
  ]);
}

async function apply(service: string, event: ReceivedEvent<DataArrived>, transaction: Transaction) {
  const sequence = Number(event.data.upstreamId);
  await effect(service, event.key, sequence, transaction);
  return behaviour.get(sequence)?.(transaction);
}

@Controller()
class Broken {
  @OnEvent(events.DataArrived, { deadLetter: 'reorder-safe', group: BROKEN })
  on(event: ReceivedEvent<DataArrived>, transaction: Transaction): Promise<Outcome | void> {
    return apply(BROKEN, event, transaction);
  }

  @OnEvent(events.DataArrived, { deadLetter: 'park-key', group: PARKING })
  onParking(event: ReceivedEvent<DataArrived>, transaction: Transaction): Promise<Outcome | void> {
    return apply(PARKING, event, transaction);
  }

  @OnEvent(events.DataArrived, { deadLetter: 'reorder-safe', group: SOUND })
  onSound(event: ReceivedEvent<DataArrived>, transaction: Transaction): Promise<void> {
    return effect(SOUND, event.key, Number(event.data.upstreamId), transaction);
  }

  @OnRecordBatch(FOREIGN, { deadLetter: 'reorder-safe' })
  async onRecords(records: RawRecord[], transaction: Transaction): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const { topic, offset, timestampMs, redriveOf, headers } of records) {
      const outcome = (await behaviour.get(offset)?.(transaction)) ?? { kind: 'done' };
      const note = JSON.stringify({ topic, timestampMs, redriveOf, headers: Object.keys(headers) });
      if (outcome.kind === 'done') await effect(FOREIGN, '', offset, transaction, note);
      outcomes.push(outcome);
    }
    return outcomes;
  }
}

describe('a redrive', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let running: RunningService;
  let deadLetters: DeadLetters;
  let stream: string;

  const numbers = async (service: string): Promise<number[]> =>
    (await effectsOf(dataSource, service)).map(({ sequence }) => sequence);

  function listen(...listening: string[]): void {
    for (const group of [BROKEN, SOUND, PARKING]) {
      running.subscriptions.set(group, events.DataArrived, listening.includes(group) ? [stream] : []);
    }
  }

  /** Letters of the topic of this test, by the events' order. */
  async function letters(group: string, topic = topicOf(events.DataArrived.topic, stream)): Promise<Letter[]> {
    return (await deadLetters.read(group)).filter(({ record }) => record.topic === topic);
  }

  async function dead(group: string, count: number): Promise<Letter[]> {
    return eventually(async () => {
      const open = (await letters(group)).filter(({ state }) => state.kind === 'open');
      expect(open).toHaveLength(count);
      return open;
    });
  }

  async function settled(group: string): Promise<void> {
    await eventually(async () => {
      const states = (await letters(group)).map(({ state }) => state.kind);
      expect(states.filter((state) => state === 'open' || state === 'asked')).toEqual([]);
    });
  }

  const ask = (asked: readonly Letter[], action: RedriveAction = 'redrive'): Promise<void> =>
    deadLetters.ask(asked, { action, by: 'ada', reason: 'mended' });

  beforeAll(async () => {
    database = await createTestDatabase('redrive');
    dataSource = await openTestDatabase(database.url, 40);
    running = await startService({ service: BROKEN, dataSource, controllers: [Broken] });
    deadLetters = openDeadLetters({ brokers: testKafkaBrokers().join(','), clientId: uniqueName('people') });
  });

  beforeEach(async () => {
    stream = uniqueName('stream');
    behaviour.clear();
    await dataSource.query('DELETE FROM effects');
  });

  afterAll(async () => {
    await deadLetters.close();
    await running.stop();
    await dataSource.destroy();
    await database.drop();
  });

  it('brings every letter to its own group alone, once and in order, after the handler is mended', async () => {
    listen(BROKEN, SOUND);
    for (let n = 1; n <= 60; n += 1) if (n % 3 === 0) behaviour.set(n, refuse);
    await running.bulk.publish(arrivals(stream, 60, 4));
    const open = await dead(BROKEN, 20);
    await eventually(async () => expect(await numbers(SOUND)).toHaveLength(60));
    const before = await numbers(BROKEN);
    behaviour.clear();
    await ask(open);
    await settled(BROKEN);
    expect((await numbers(BROKEN)).sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, n) => n + 1));
    const redriven = (await effectsOf(dataSource, BROKEN)).slice(before.length);
    expect(redriven).toHaveLength(20);
    expect(inversions(redriven)).toEqual([]);
    expect(await numbers(SOUND)).toHaveLength(60);
    expect((await letters(BROKEN))[0]?.state).toMatchObject({ kind: 'redriven', by: 'ada', reason: 'mended' });
    expect(await dataSource.query('SELECT * FROM dead_letters WHERE consumer_group = $1', [BROKEN])).toEqual([]);
  }, 60_000);

  it('that is asked for twice has one effect, also when the second comes after the first is done', async () => {
    listen(BROKEN);
    behaviour.set(2, refuse);
    await running.bulk.publish(arrivals(stream, 3, 1));
    const open = await dead(BROKEN, 1);
    behaviour.clear();
    await ask(open);
    await ask(open);
    await settled(BROKEN);
    await ask(open);
    // A letter that dies and is redriven behind them: by then the repeats were read.
    behaviour.set(4, refuse);
    await running.bulk.publish(arrivals(stream, 1, 1, 4));
    const next = await dead(BROKEN, 1);
    behaviour.clear();
    await ask(next);
    await settled(BROKEN);
    expect(await numbers(BROKEN)).toEqual([1, 3, 2, 4]);
    const warned = running.warnings.filter(({ message }) => message.includes('settled or unknown'));
    expect(warned).toHaveLength(2);
  }, 60_000);

  it('that fails again is another letter, which can be redriven again', async () => {
    listen(BROKEN);
    behaviour.set(1, () => Promise.reject(new Error('still a bug')));
    await running.bulk.publish(arrivals(stream, 2, 1));
    const [first] = await dead(BROKEN, 1);
    expect(first).toMatchObject({ attempt: 1, reason: 'fault', keyParked: false });
    await ask(first ? [first] : []);
    const second = await eventually(async () => {
      const [letter] = await letters(BROKEN);
      expect(letter).toMatchObject({ attempt: 2, reason: 'fault', state: { kind: 'open' } });
      return letter;
    });
    expect(second?.id).not.toBe(first?.id);
    behaviour.clear();
    await ask(second ? [second] : []);
    await settled(BROKEN);
    expect((await numbers(BROKEN)).sort()).toEqual([1, 2]);
  }, 60_000);

  it('brings its effect and its marker once when the database session dies between them', async () => {
    listen(BROKEN);
    behaviour.set(1, refuse);
    await running.bulk.publish(arrivals(stream, 1, 1));
    const open = await dead(BROKEN, 1);
    let kills = 2;
    behaviour.set(1, async (transaction) => {
      kills -= 1;
      if (kills >= 0) await transaction.query('SELECT pg_terminate_backend(pg_backend_pid())');
    });
    await ask(open);
    await settled(BROKEN);
    expect(kills).toBeLessThan(0);
    expect(await numbers(BROKEN)).toEqual([1]);
    const onTopic = await recordsOf(`${topicOf(events.DataArrived.topic, stream)}.${BROKEN}.dlq`);
    expect(onTopic.map(({ headers }) => headers?.['dlq_settled']?.toString())).toEqual([undefined, 'redriven']);
  }, 60_000);

  it('ignores a command that cannot be read, and says why on its own dead-letter topic', async () => {
    listen(BROKEN);
    await running.bulk.publish(arrivals(stream, 1, 1));
    await eventually(async () => expect(await numbers(BROKEN)).toEqual([1]));
    const producer = kafka().producer();
    await producer.connect();
    const topic = redriveTopicOf(BROKEN);
    await producer.send({ topic, messages: [{ key: 'k', value: 'x', headers: { redrive_action: 'again' } }] });
    await producer.disconnect();
    const [letter] = await eventually(async () => {
      const found = await letters(BROKEN, topic);
      expect(found).toHaveLength(1);
      return found;
    });
    expect(letter).toMatchObject({ code: 'invalid_redrive', state: { kind: 'open' } });
    expect(letter?.message).toContain('redrive_action');
    await expect(ask(letter ? [letter] : [])).rejects.toThrow('nobody can read');
  }, 60_000);

  it('gives a handler of records the original place, time and headers, and an identity of its own', async () => {
    const topic = uniqueName('upstream');
    const client = kafka();
    const [admin, producer] = [client.admin(), client.producer()];
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
    await admin.disconnect();
    behaviour.set(1, refuse);
    running.subscriptions.setForeign(FOREIGN, [topic]);
    await producer.connect();
    await producer.send({
      topic,
      messages: [0, 1, 2].map((n) => ({ value: `v${n}`, headers: { h: 'x' }, timestamp: String(1e12 + n) })),
    });
    await producer.disconnect();
    const [letter] = await eventually(async () => {
      const found = await letters(FOREIGN, topic);
      expect(found).toHaveLength(1);
      return found;
    });
    behaviour.clear();
    await ask(letter ? [letter] : []);
    await eventually(async () => expect(await numbers(FOREIGN)).toEqual([0, 2, 1]));
    const [last] = (await effectsOf(dataSource, FOREIGN)).slice(-1);
    expect(JSON.parse(last?.note ?? '')).toEqual({
      topic,
      timestampMs: 1e12 + 1,
      redriveOf: letter?.id,
      headers: ['h'],
    });
    running.subscriptions.setForeign(FOREIGN, []);
  }, 60_000);

  describe('of a parked key', () => {
    async function parked(): Promise<Letter[]> {
      listen(PARKING);
      behaviour.set(2, refuse);
      await running.bulk.publish([
        ...[1, 2, 3, 5].map((n) => arrival(stream, 'a', n)),
        arrival(stream, 'b', 6, 'upstream/1'),
      ]);
      await eventually(async () => expect((await numbers(PARKING)).sort()).toEqual([1, 6]));
      const open = await dead(PARKING, 1);
      expect(open[0]).toMatchObject({ keyParked: true, record: { key: Buffer.from('a') } });
      behaviour.clear();
      return open;
    }
    const ofKeyA = async (): Promise<number[]> =>
      (await effectsOf(dataSource, PARKING)).filter(({ key }) => key === 'a').map(({ sequence }) => sequence);

    it('runs the dead event, then what waited behind it, in order, and the key goes on', async () => {
      await ask(await parked());
      await eventually(async () => expect(await ofKeyA()).toEqual([1, 2, 3, 5]));
      await running.bulk.publish([arrival(stream, 'a', 7)]);
      await eventually(async () => expect(await ofKeyA()).toEqual([1, 2, 3, 5, 7]));
      await settled(PARKING);
      expect(await dataSource.query('SELECT * FROM parked_events')).toEqual([]);
    }, 60_000);

    it('keeps the key parked when the event fails again', async () => {
      const open = await parked();
      behaviour.set(2, refuse);
      await ask(open);
      const again = await eventually(async () => {
        const [letter] = await letters(PARKING);
        expect(letter).toMatchObject({ attempt: 2, keyParked: true });
        return letter;
      });
      expect(await ofKeyA()).toEqual([1]);
      behaviour.clear();
      await ask(again ? [again] : []);
      await eventually(async () => expect(await ofKeyA()).toEqual([1, 2, 3, 5]));
    }, 60_000);

    it('lets the key go on without the event when a person drops it', async () => {
      const open = await parked();
      await expect(deadLetters.ask(open, { action: 'drop', by: 'ada', reason: '' })).rejects.toThrow('reason');
      await ask(open, 'drop');
      await eventually(async () => expect(await ofKeyA()).toEqual([1, 3, 5]));
      await settled(PARKING);
      expect((await letters(PARKING))[0]?.state).toMatchObject({ kind: 'dropped', by: 'ada', reason: 'mended' });
      await expect(ask(await letters(PARKING))).rejects.toThrow('was dropped by ada');
    }, 60_000);
  });
});

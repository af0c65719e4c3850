// What the port promises by itself, without the runner.
import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { eventually, uniqueName } from '@headrace/testing';
import { silentLogger, type Brokers, type LogMessage } from '@headrace/messaging';
import type { EventLog, LogBatch, LogConsumer } from '../src/log/port';
import { partitionOf } from '../src/memory/memory-topic';
import { openLog } from '../src/open-log';
import { wholeTopic } from './whole-topic';

const message = (topic: string, key: string | null, value: Buffer | string | null = 'x'): LogMessage => ({
  topic,
  key: key === null ? null : Buffer.from(key),
  value: typeof value === 'string' ? Buffer.from(value) : value,
  headers: {},
});

export function logConformance(brokers: () => Brokers): void {
  let log: EventLog;
  let topic: string;
  const open: { stop(): Promise<void> }[] = [];

  beforeEach(async () => {
    log = openLog(brokers(), 'conformance', silentLogger);
    topic = uniqueName('conformance');
    await log.createTopics([{ name: topic, partitions: 3, cleanup: 'delete', retentionMs: -1 }]);
  });

  afterEach(async () => {
    for (const consumer of open.splice(0)) await consumer.stop();
    await log.close();
  });

  const send = async (messages: LogMessage[]): Promise<void> => {
    const producer = await log.connectProducer();
    try {
      await producer.send(messages);
    } finally {
      await producer.close();
    }
  };

  /** Of a group, as the test drives it. */
  async function consume(
    group: string,
    onBatch: (batch: LogBatch) => Promise<void> | void,
    onJoined: (consumer: LogConsumer) => void = () => undefined,
  ): Promise<LogConsumer> {
    const consumer = log.consumer({
      group,
      sessionTimeoutMs: 10_000,
      heartbeatMs: 500,
      maxWaitMs: 50,
      concurrentPartitions: 2,
    });
    open.push(consumer);
    await consumer.start([topic], {
      onJoined: () => onJoined(consumer),
      onBatch: async (batch) => {
        await onBatch(batch);
      },
      onGivenUp: (error) => {
        throw error;
      },
    });
    return consumer;
  }

  it('puts a key always on its partition, as clients of Kafka do, and numbers each partition from 0', async () => {
    const keys = Array.from({ length: 60 }, (_, index) => `key-${index % 20}`);
    await send(keys.map((key, index) => message(topic, key, String(index))));
    const records = await wholeTopic(log, topic);
    expect(records).toHaveLength(60);
    for (const { key, partition } of records) expect(partition).toBe(partitionOf(key ?? Buffer.alloc(0), 3));
    for (const { partition, low, high } of await log.offsets(topic)) {
      const own = records.filter((record) => record.partition === partition);
      expect(low).toBe(0);
      expect(own.map(({ offset }) => offset)).toEqual(Array.from({ length: high }, (_, index) => index));
      const sent = own.map(({ value }) => Number(value?.toString()));
      expect(sent).toEqual([...sent].sort((a, b) => a - b));
    }
  }, 30_000);

  it('keeps key, value and headers byte for byte, and says when a record was written', async () => {
    const began = Date.now();
    const headers = { text: 'grün', bytes: Buffer.from([0, 255, 254, 0, 13]), empty: '', toString: 'own' };
    const value = randomBytes(5000);
    await send([
      { topic, key: Buffer.from([0, 255]), value, headers, partition: 2 },
      { topic, key: null, value: null, headers: {}, partition: 2 },
      { topic, key: Buffer.alloc(0), value: Buffer.alloc(0), headers: {}, partition: 2 },
    ]);
    const [full, none, empty] = await wholeTopic(log, topic);
    expect(full?.partition).toBe(2);
    expect(full?.key).toEqual(Buffer.from([0, 255]));
    expect(full?.value?.equals(value)).toBe(true);
    expect(Object.entries(full?.headers ?? {}).map(([name, header]) => [name, header.toString('hex')])).toEqual(
      Object.entries(headers).map(([name, header]) => [name, Buffer.from(header).toString('hex')]),
    );
    expect(full?.timestampMs).toBeGreaterThanOrEqual(began);
    expect(full?.timestampMs).toBeLessThanOrEqual(Date.now());
    expect([none?.key, none?.value]).toEqual([null, null]);
    expect([empty?.key?.byteLength, empty?.value?.byteLength]).toEqual([0, 0]);
  }, 30_000);

  it('refuses what is larger than the topic takes; a dead letter may be larger than its original', async () => {
    const letters = `${topic}.dlq`;
    await log.createTopics([{ name: letters, partitions: 1, cleanup: 'delete', retentionMs: -1 }]);
    const large = randomBytes(1_100_000);
    await expect(send([message(topic, 'k', large)])).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' });
    await send([message(letters, 'k', large)]);
    expect(await wholeTopic(log, topic)).toEqual([]);
    expect(await wholeTopic(log, letters)).toHaveLength(1);
  }, 30_000);

  it('leaves a topic that exists as it is, and is the same cluster for everybody', async () => {
    await send([message(topic, 'k')]);
    await log.createTopics([{ name: topic, partitions: 7, cleanup: 'delete', retentionMs: -1 }]);
    expect(await log.offsets(topic)).toHaveLength(3);
    expect(await wholeTopic(log, topic)).toHaveLength(1);
    const other = openLog(brokers(), 'other', silentLogger);
    expect([...(await other.topicNames())]).toContain(topic);
    expect(await other.clusterId()).toBe(await log.clusterId());
    await other.close();
  }, 30_000);

  it('knows where each partition stood at a moment', async () => {
    await send([0, 1, 2].flatMap((partition) => [{ ...message(topic, 'k'), partition }]));
    await eventually(async () => expect(await wholeTopic(log, topic)).toHaveLength(3));
    const written = Math.max(...(await wholeTopic(log, topic)).map(({ timestampMs }) => timestampMs));
    // The next moment: records carry milliseconds.
    await eventually(() => expect(Date.now()).toBeGreaterThan(written));
    await send([{ ...message(topic, 'k'), partition: 1 }]);
    const sorted = async (at: number) => [...(await log.offsetsAt(topic, at))].sort(([a], [b]) => a - b);
    expect(await sorted(0)).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
    ]);
    expect(await sorted(written + 1)).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
    ]);
    expect(await sorted(Date.now() + 60_000)).toEqual([
      [0, 1],
      [1, 2],
      [2, 1],
    ]);
  }, 30_000);

  it('gives a batch again until it is moved on, from where it was moved to', async () => {
    await send(Array.from({ length: 10 }, (_, index) => message(topic, 'k', String(index))));
    const fetched: number[] = [];
    await consume(uniqueName('group'), (batch) => {
      fetched.push(batch.fetchedFrom);
      expect(batch.records[0]?.offset).toBe(batch.fetchedFrom);
      if (fetched.length === 2) batch.moved(4);
      if (fetched.length === 4) batch.moved(batch.end);
    });
    await eventually(() => expect(fetched.slice(0, 4)).toEqual([0, 0, 4, 4]));
  }, 30_000);

  it('gives the batches of a partition one after the other', async () => {
    const busy = new Set<number>();
    const seen: number[] = [];
    let overlaps = 0;
    await consume(uniqueName('group'), async ({ partition, records, end, moved }) => {
      if (busy.has(partition)) overlaps += 1;
      busy.add(partition);
      await nextTurn();
      await nextTurn();
      seen.push(...records.map(({ value }) => Number(value?.toString())));
      moved(end);
      busy.delete(partition);
    });
    for (let nth = 0; nth < 30; nth += 1) {
      await send([message(topic, 'k', String(nth))]);
      await nextTurn();
    }
    await eventually(() => expect(seen).toHaveLength(30));
    expect(overlaps).toBe(0);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  }, 30_000);

  it('begins where the group reported, unless it is sought elsewhere before the first fetch', async () => {
    await send(Array.from({ length: 10 }, (_, index) => message(topic, 'k', String(index))));
    const partition = partitionOf(Buffer.from('k'), 3);
    const group = uniqueName('group');
    const passOn = (fetched: number[]) => (batch: LogBatch) => {
      fetched.push(batch.fetchedFrom);
      batch.moved(batch.end);
    };
    const first: number[] = [];
    const consumer = await consume(group, passOn(first));
    await eventually(() => expect(first).toEqual([0]));
    await consumer.report([{ topic, partition, next: 6 }]);
    await consumer.stop();
    open.splice(0);
    const second: number[] = [];
    const again = await consume(group, passOn(second));
    await eventually(() => expect(second).toEqual([6]));
    again.seek(topic, partition, 2);
    await eventually(() => expect(second).toEqual([6, 2]));
    await again.stop();
    open.splice(0);
    const third: number[] = [];
    await consume(group, passOn(third), (joined) => joined.seek(topic, partition, 8));
    await eventually(() => expect(third).toEqual([8]));
  }, 60_000);

  it('gives nothing of a paused partition, and goes on with the others', async () => {
    const seen: string[] = [];
    const partition = partitionOf(Buffer.from('k'), 3);
    const other = (partition + 1) % 3;
    let joined = false;
    const consumer = await consume(
      uniqueName('group'),
      (batch) => {
        for (const { value } of batch.records) seen.push(String(value));
        batch.moved(batch.end);
      },
      (joining) => {
        joining.pause(topic, partition);
        joined = true;
      },
    );
    await eventually(() => expect(joined).toBe(true));
    await send([
      { ...message(topic, 'k', 'held'), partition },
      { ...message(topic, 'k', 'free'), partition: other },
    ]);
    await eventually(() => expect(seen).toEqual(['free']));
    await send([{ ...message(topic, 'k', 'free too'), partition: other }]);
    await eventually(() => expect(seen).toEqual(['free', 'free too']));
    consumer.resume(topic, partition);
    await eventually(() => expect(seen).toEqual(['free', 'free too', 'held']));
  }, 30_000);
}

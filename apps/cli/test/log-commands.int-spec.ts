import { deadLetterTopicOf, events, topicOf, topics } from '@headrace/contracts';
import { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { ensureTopics } from '@headrace/messaging';
import { eventually, testKafkaBrokers, uniqueName } from '@headrace/testing';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { getEvent, printTopics, tailEvents, type TailOptions } from '../src/commands/log';
import { Clients, connect } from '../src/connection';

const stream = uniqueName('tail');
const topic = topicOf(topics.data, stream);
const START = Date.UTC(2026, 0, 1);

function message(sequence: number, key: string) {
  const id = `${stream}/${sequence}`;
  return {
    key,
    value: Buffer.from(
      DataArrived.encode(DataArrived.fromPartial({ stream, recordKey: key, upstreamId: id })).finish(),
    ),
    headers: {
      'content-type': 'application/protobuf',
      ce_specversion: '1.0',
      ce_id: id,
      ce_source: '/headrace/ingestion',
      ce_type: events.DataArrived.type,
      ce_time: new Date(START + sequence * 1_000).toISOString(),
      ce_correlationid: 'loop',
      ce_producershard: `upstream/${stream}`,
      ce_producersequence: String(sequence),
    },
  };
}

describe('the log, for people', () => {
  const kafka = new Kafka({ brokers: testKafkaBrokers(), logLevel: logLevel.NOTHING });
  const connection = connect({ KAFKA_BROKERS: testKafkaBrokers().join(',') });
  const clients = new Clients(connection);
  let producer: Producer;
  let written: string;
  let output: jest.SpyInstance;

  beforeAll(async () => {
    await ensureTopics(testKafkaBrokers(), [topic]);
    producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic, messages: [1, 2, 3, 4].map((n) => message(n, n % 2 === 0 ? 'even' : 'odd')) });
  });

  beforeEach(() => {
    written = '';
    output = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      written += String(text);
      return true;
    });
  });

  afterEach(() => output.mockRestore());

  afterAll(async () => {
    clients.close();
    await producer.disconnect();
  });

  const tail = (options: Partial<TailOptions> = {}, signal = new AbortController().signal): Promise<void> =>
    tailEvents(connection, topic, { last: 20, follow: false, json: true, ...options }, signal);
  const idsWritten = (): string[] =>
    written
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { id: string }).id.slice(stream.length + 1));

  it('shows the last events of a topic in order of time, decoded', async () => {
    await tail({ last: 3 });
    expect(idsWritten()).toEqual(['2', '3', '4']);
    expect(JSON.parse(written.split('\n')[0] ?? '')).toMatchObject({
      type: events.DataArrived.type,
      topic,
      key: 'even',
      correlationId: 'loop',
      data: { stream, recordKey: 'even' },
    });
  });

  it('shows what passes the filter, by the short or the full type', async () => {
    await tail({ key: 'even', type: 'DataArrived' });
    expect(idsWritten()).toEqual(['2', '4']);
    written = '';
    await tail({ type: events.WatermarkAdvanced.type });
    expect(idsWritten()).toEqual([]);
  });

  it('begins at a time, and refuses what is none', async () => {
    await tail({ since: '10m' });
    expect(idsWritten().sort()).toEqual(['1', '2', '3', '4']);
    await expect(tail({ since: 'yesterday' })).rejects.toThrow('--since yesterday: expected a duration');
  });

  it('follows what arrives until it is stopped', async () => {
    const stop = new AbortController();
    const following = tail({ last: 1, follow: true }, stop.signal);
    try {
      await eventually(() => expect(idsWritten()).toEqual(['4']));
      await producer.send({ topic, messages: [message(5, 'odd')] });
      await eventually(() => expect(idsWritten()).toEqual(['4', '5']));
    } finally {
      stop.abort();
      await following;
    }
  });

  it('says on the side how many records are no events', async () => {
    const said: string[] = [];
    const errors = jest.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
    const foreign = uniqueName('foreign');
    await ensureTopics(testKafkaBrokers(), [foreign]);
    await producer.send({ topic: foreign, messages: [{ key: 'k', value: '{"a":1}' }, message(9, 'even')] });
    try {
      const { signal } = new AbortController();
      await tailEvents(connection, foreign, { last: 5, follow: false, json: true }, signal);
      expect(idsWritten()).toEqual(['9']);
      expect(said).toEqual([expect.stringContaining('1 records are no events and are not shown, such as 0/0: ')]);
    } finally {
      errors.mockRestore();
    }
  });

  it('says that a topic does not exist', async () => {
    const other = new AbortController().signal;
    await expect(
      tailEvents(connection, 'no.such.topic', { last: 1, follow: false, json: false }, other),
    ).rejects.toThrow('topic "no.such.topic" does not exist');
  });

  it('finds one event by its id without the registry, and says where it looked when there is none', async () => {
    await getEvent(connection, clients, `${stream}/3`, { window: 100 });
    expect(JSON.parse(written)).toMatchObject({ id: `${stream}/3`, data: { recordKey: 'odd' } });
    await expect(getEvent(connection, clients, 'nobody', { window: 100 })).rejects.toThrow('newest 100 records');
  });

  it('shows topics with their records, retention and difference from the catalogue', async () => {
    const wrong = topicOf(topics.quarantine, stream);
    const letters = deadLetterTopicOf(topic, 'group');
    await ensureTopics(testKafkaBrokers(), [
      { name: wrong, partitions: 3, cleanup: 'delete', retentionMs: 3_600_000 },
      letters,
    ]);
    await printTopics(connection, true);
    const rows = JSON.parse(written) as { topic: string }[];
    expect(rows.find((row) => row.topic === topic)).toMatchObject({ partitions: 4, kept: 'for ever', differences: '' });
    expect(rows.find((row) => row.topic === letters)).toMatchObject({ partitions: 1, differences: '' });
    expect(rows.find((row) => row.topic === wrong)).toMatchObject({
      kept: '1h',
      differences: 'partitions is 3, expected 1; retention.ms is 3600000, expected 2592000000',
    });
  });
});

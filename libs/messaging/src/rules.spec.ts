import { deadLetterTopicOf, events } from '@headrace/contracts';
import { backoffMs } from './backoff';
import { deadLetterRow } from './dead-letters';
import { isTransient } from './faults';
import { batches } from './log-writer';
import { bulkPatienceMs, checkedTuning, defaultTuning } from './options';
import { SHARDS, shardOf } from './outbox';
import { positionFault } from './positions';
import { GroupRoutes } from './routes';
import { TopicSelection } from './topic-subscriptions';
import { staticTopics, topicConfigOf } from './topics';
import { WakeSignal } from './wake-signal';

const invoke = (): Promise<void> => Promise.resolve();
const arrived = {
  kind: 'event',
  definition: events.DataArrived as never,
  options: { deadLetter: 'park-key' },
} as const;
const trained = {
  kind: 'event',
  definition: events.ModelTrained as never,
  options: { deadLetter: 'park-key' },
} as const;

describe('transient faults', () => {
  it.each([
    Object.assign(new Error(), { code: '40001' }),
    Object.assign(new Error(), { driverError: { code: '40P01' } }),
    Object.assign(new Error(), { code: '53100' }),
    Object.assign(new Error(), { code: '42501' }),
    Object.assign(new Error(), { code: 'ECONNREFUSED' }),
    new Error('outer', { cause: new Error('Connection terminated unexpectedly') }),
    Object.assign(new Error(), { name: 'KafkaJSConnectionError' }),
  ])('%#: the database or the broker is away, or transactions met', (error) => expect(isTransient(error)).toBe(true));

  it.each([
    new Error('a bug'),
    Object.assign(new Error(), { code: '23505' }),
    Object.assign(new Error(), { code: '57014' }),
    'text',
    null,
  ])('%#: anything else is not', (error) => expect(isTransient(error)).toBe(false));
});

describe('backoff', () => {
  it('doubles up to its maximum, with jitter over the upper half', () => {
    expect([1, 2, 3, 99].map((attempt) => backoffMs(attempt, 100, 10_000, () => 1))).toEqual([100, 200, 400, 10_000]);
    expect(backoffMs(1, 100, 10_000, () => 0)).toBe(50);
  });
});

describe('a position', () => {
  const id = { group: 'g', topic: 't', partition: 0 };

  const position = { clusterId: 'c', topicId: 'a', next: 5 };
  const here = { clusterId: 'c', topicId: 'a' };

  it('fits a log that reaches it', () => {
    expect(positionFault(id, position, here, { low: 0, high: 5 })).toBeUndefined();
    expect(positionFault(id, position, here, { low: 7, high: 9 })).toBeUndefined();
  });

  it('is refused beyond the end of the log, or on another cluster', () => {
    expect(positionFault(id, position, here, { low: 0, high: 4 })).toContain('the log ends at 4');
    expect(positionFault(id, position, { ...here, clusterId: 'd' }, { low: 0, high: 5 })).toContain(
      'belongs to Kafka cluster c',
    );
  });

  it('is refused on a topic that was made again, and fits where ids are not known', () => {
    const log = { low: 0, high: 500 };
    expect(positionFault(id, position, { ...here, topicId: 'b' }, log)).toContain('topic t was deleted and made again');
    expect(positionFault(id, position, { ...here, topicId: undefined }, log)).toBeUndefined();
    expect(positionFault(id, { clusterId: 'c', next: 5 }, here, log)).toBeUndefined();
  });
});

describe('routes of a group', () => {
  it('read the static topics of their handlers and the streams they are told of', () => {
    const selection = new TopicSelection();
    const routes = new GroupRoutes('g', selection);
    routes.add(arrived, invoke);
    routes.add(trained, invoke);
    expect(routes.ownTopics()).toEqual(['training.v1']);
    selection.set('g', events.DataArrived, ['flights']);
    expect(routes.ownTopics()).toEqual(['data.flights.v1', 'training.v1']);
    expect(routes.selectionFault()).toBeUndefined();
  });

  it('refuse two handlers of one type, and a selection that no handler is for', () => {
    const selection = new TopicSelection();
    const routes = new GroupRoutes('g', selection);
    routes.add(trained, invoke);
    expect(() => routes.add(trained, invoke)).toThrow('two handlers');
    selection.set('g', events.DataArrived, ['flights']);
    expect(routes.selectionFault()).toContain('no handler of headrace.ingestion.v1.DataArrived');
  });
});

describe('topics', () => {
  it('are made as the catalogue has them; dead letters are kept for ever', () => {
    expect(topicConfigOf('data.flights.v1')).toMatchObject({ partitions: 4, cleanup: 'delete' });
    expect(topicConfigOf('data.flights.quarantine.v1')).toMatchObject({ partitions: 1 });
    expect(topicConfigOf('deployments.v1')).toMatchObject({ cleanup: 'compact' });
    expect(topicConfigOf(deadLetterTopicOf('training.v1', 'registry'))).toMatchObject({
      partitions: 1,
      retentionMs: -1,
    });
    expect(staticTopics()).toContain('training.v1');
    expect(staticTopics().some((name) => name.includes('{'))).toBe(false);
  });
});

describe('outgoing records', () => {
  it('of one key have one shard', () => {
    const shards = Array.from({ length: 1000 }, (_, n) => shardOf(Buffer.from(`k${n}`)));
    expect(new Set(shards).size).toBe(SHARDS);
    expect(shardOf(Buffer.from('k1'))).toBe(shards[1]);
  });

  it('are sent in requests that the broker accepts', () => {
    const large = { key: null, value: Buffer.alloc(600_000), headers: {} };
    const small = { key: null, value: Buffer.alloc(1), headers: {} };
    expect([...batches([large, large, small, large])].map((batch) => batch.length)).toEqual([1, 2, 1]);
    expect([...batches(Array<typeof small>(2500).fill(small))].map((batch) => batch.length)).toEqual([1000, 1000, 500]);
  });

  it('that are dead letters keep the original and say why', () => {
    const record = {
      topic: 't',
      partition: 3,
      offset: 9,
      timestampMs: 0,
      key: Buffer.from('k'),
      value: Buffer.from([1]),
      headers: { h: Buffer.from('x') },
    };
    const row = deadLetterRow(
      record,
      'g',
      { reason: 'rejected', code: 'no', message: 'no\0no' },
      {
        id: 'l1',
        attempt: 2,
        keyParked: true,
      },
    );
    expect(row).toMatchObject({ topic: 't.g.dlq', key: record.key, value: record.value });
    expect(row.numbered).toBe(false);
    const headers = Object.entries(row.headers.toRecord()).map(([name, value]) => [name, value.toString('utf8')]);
    expect(Object.fromEntries(headers)).toMatchObject({
      h: 'x',
      dlq_message: 'no\0no',
      dlq_reason: 'rejected',
      dlq_code: 'no',
      dlq_partition: '3',
      dlq_offset: '9',
      dlq_group: 'g',
      dlq_id: 'l1',
      dlq_attempt: '2',
      dlq_key_parked: 'true',
    });
  });
});

describe('a wake signal', () => {
  it('is not missed when it comes just before the wait', async () => {
    const signal = new WakeSignal();
    signal.wake();
    await signal.wait(60_000);
    signal.reset();
    const waiting = signal.wait(60_000);
    signal.wake();
    await waiting;
  });

  it('counts for one wait: a relay whose database is away does not spin', async () => {
    const signal = new WakeSignal();
    for (const early of [true, false]) {
      if (early) signal.wake();
      const first = signal.wait(60_000);
      if (!early) signal.wake();
      await first;
      let over = false;
      const second = signal.wait(60_000).then(() => {
        over = true;
      });
      await new Promise((resolve) => setImmediate(resolve));
      expect(over).toBe(false);
      signal.wake();
      await second;
    }
  });
});

describe('tuning', () => {
  it('is the default where nothing is set', () => {
    expect(checkedTuning({})).toEqual(defaultTuning);
    expect(checkedTuning({ chunkSize: 7 }).chunkSize).toBe(7);
  });

  it('is refused when members would lose their partitions between two heartbeats', () => {
    expect(() => checkedTuning({ heartbeatMs: 10_000 })).toThrow(
      'heartbeatMs: expected less than sessionTimeoutMs (10000), better a third of it, got 10000',
    );
    expect(() => checkedTuning({ sessionTimeoutMs: 900 })).toThrow(
      'heartbeatMs: expected less than sessionTimeoutMs (900)',
    );
  });

  it('is refused with every setting that cannot work, by its name', () => {
    const faults = expect(() =>
      checkedTuning({ chunkSize: 0, maxAttempts: Number.NaN, backoffMinMs: 9, backoffMaxMs: 8 }),
    );
    faults.toThrow(
      /chunkSize: expected a number from 1, got 0\n.*maxAttempts: .*got NaN\n.*backoffMinMs: .*backoffMaxMs/,
    );
  });

  it('lets a handler wait for the broker less than what ends its call or its transaction', () => {
    for (const tuning of [
      defaultTuning,
      checkedTuning({ handlerDeadlineMs: 600 }),
      checkedTuning({ idleInTransactionMs: 300 }),
    ]) {
      expect(bulkPatienceMs(tuning)).toBeLessThan(Math.min(tuning.handlerDeadlineMs, tuning.idleInTransactionMs));
    }
  });
});

import { eventually, uniqueName } from '@headrace/testing';
import { silentLogger } from '../logger';
import type { LogBatch } from '../log/port';
import { MemoryBroker } from './memory-broker';

describe('a group in memory', () => {
  const topic = uniqueName('topic');

  it('puts out a member that holds a batch for longer than its session, and takes it in again afterwards', async () => {
    const broker = new MemoryBroker();
    const log = broker.connect('spec', silentLogger);
    await log.createTopics([{ name: topic, partitions: 1, cleanup: 'delete', retentionMs: -1 }]);
    const member = (sessionTimeoutMs: number) =>
      log.consumer({ group: 'g', sessionTimeoutMs, heartbeatMs: 10, maxWaitMs: 10, concurrentPartitions: 1 });
    const held: LogBatch[] = [];
    const takenOver: LogBatch[] = [];
    const joins: string[] = [];
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const slow = member(50);
    const quick = member(50);
    const onGivenUp = (error: Error): void => void joins.push(error.message);
    await slow.start([topic], {
      onJoined: (assignment) => void joins.push(`slow ${assignment.get(topic)?.join() ?? 'nothing'}`),
      onBatch: (batch) => {
        held.push(batch);
        return gate;
      },
      onGivenUp,
    });
    await (await log.connectProducer()).send([{ topic, key: null, value: Buffer.from('x'), headers: {} }]);
    await eventually(() => expect(held[0]?.isCurrent()).toBe(true));
    await quick.start([topic], {
      onJoined: (assignment) => void joins.push(`quick ${assignment.get(topic)?.join() ?? 'nothing'}`),
      onBatch: (batch) => {
        takenOver.push(batch);
        batch.moved(batch.end);
        return Promise.resolve();
      },
      onGivenUp,
    });
    expect(held[0]?.isCurrent()).toBe(false);
    await eventually(() => expect(takenOver).toHaveLength(1));
    expect(joins).toEqual(['slow 0', 'quick 0']);
    release();
    await eventually(() => expect(joins).toHaveLength(4));
    expect(joins.filter((join) => join.endsWith('nothing'))).toHaveLength(1);
    await slow.stop();
    await quick.stop();
  });
});

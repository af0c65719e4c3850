import { deadLetterTopicOf, events, topicOf } from '@headrace/contracts';
import { createTestDatabase, eventually, uniqueName, type TestDatabase } from '@headrace/testing';
import type { BulkMessage } from '@headrace/messaging';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import type { DataSource } from 'typeorm';
import { openTestDatabase, startService, type RunningService } from './running-service';
import { arrival, arrivals, effectsOf, inversions, recordsOf } from './sample-events';
import { startProcess, type ProcessOptions, type ServiceProcess } from './service-process';

const TEN_SECONDS = 10_000;

function marked(message: BulkMessage<DataArrived>, warning: string): BulkMessage<DataArrived> {
  return { ...message, data: { ...message.data, warnings: [warning] } };
}

describe('a service as a process', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  /** With a database of its own: its relay would take shards of the outbox that the process shall empty. */
  let publishers: TestDatabase;
  let publishersSource: DataSource;
  let publisher: RunningService;
  let service: string;
  let stream: string;
  const processes: ServiceProcess[] = [];

  const start = (options: Partial<ProcessOptions> = {}): ServiceProcess => {
    const started = startProcess({ service, stream, databaseUrl: database.url, ...options });
    processes.push(started);
    return started;
  };
  const numbers = async (): Promise<number[]> =>
    (await effectsOf(dataSource, service)).map(({ sequence }) => sequence).sort((a, b) => a - b);

  beforeAll(async () => {
    database = await createTestDatabase('process');
    dataSource = await openTestDatabase(database.url);
    publishers = await createTestDatabase('publisher');
    publishersSource = await openTestDatabase(publishers.url);
    publisher = await startService({ service: uniqueName('publisher'), dataSource: publishersSource });
  });

  beforeEach(() => {
    service = uniqueName('process');
    stream = uniqueName('stream');
  });

  afterEach(async () => {
    for (const one of processes) one.signal('SIGKILL');
    await Promise.all(processes.splice(0).map(({ ended }) => ended));
  });

  afterAll(async () => {
    await publisher.stop();
    await Promise.all([dataSource.destroy(), publishersSource.destroy()]);
    await Promise.all([database.drop(), publishers.drop()]);
  });

  it.each(['single', 'batch'] as const)(
    'is ended when a handler hangs its event loop, and dead-letters only that event after the last try (%s)',
    async (kind) => {
      const messages = arrivals(stream, 60, 6).map((message, index) =>
        index === 40 ? marked(message, 'hangs') : message,
      );
      await publisher.bulk.publish(messages);
      let deaths = 0;
      let isDone = false;
      // What a supervisor (Kubernetes, systemd) does.
      const supervise = async (): Promise<void> => {
        while (!isDone) {
          const { signal } = await start({ kind, tuning: { eventLoopHangMs: 400, maxAttempts: 2 } }).ended;
          if (isDone) return;
          expect(signal).toBe('SIGKILL');
          deaths += 1;
        }
      };
      const supervising = supervise();
      const dlq = deadLetterTopicOf(topicOf(events.DataArrived.topic, stream), service);
      await eventually(async () => expect(await recordsOf(dlq)).toHaveLength(1), { timeoutMs: 60_000 });
      await eventually(async () => expect(await numbers()).toHaveLength(59));
      isDone = true;
      for (const one of processes) one.signal('SIGKILL');
      await supervising;
      expect(await numbers()).not.toContain(41);
      expect(inversions(await effectsOf(dataSource, service))).toEqual([]);
      const [letter] = await recordsOf(dlq);
      expect(letter?.headers?.['dlq_message']?.toString()).toContain('the event loop stood still');
      // One in which it was among others, then as many as it has tries.
      expect(deaths).toBeLessThanOrEqual(3);
      expect(await dataSource.query('SELECT * FROM delivery_attempts WHERE consumer_group = $1', [service])).toEqual(
        [],
      );
    },
    120_000,
  );

  it('exits non-zero when kafkajs gives the consumer up', async () => {
    // The broker refuses so short a session, and no further try can help.
    const { ended, log } = start({ tuning: { sessionTimeoutMs: 100, heartbeatMs: 50 } });
    expect((await ended).code).toBe(1);
    expect(log()).toContain('consuming cannot go on');
  }, 30_000);

  it('finishes and commits what is in hand on SIGTERM, publishes its outbox and leaves with code 0', async () => {
    const count = 4000;
    const messages = arrivals(stream, count, 40).map((message) => marked(message, 'publishes'));
    const first = start();
    await first.ready;
    const publishing = publisher.bulk.publish(messages);
    await eventually(async () => expect((await numbers()).length).toBeGreaterThan(200));
    const began = Date.now();
    first.signal('SIGTERM');
    expect(await first.ended).toEqual({ code: 0, signal: null });
    expect(Date.now() - began).toBeLessThan(TEN_SECONDS);
    // What it committed it published: nothing waits for somebody else.
    expect(await dataSource.query('SELECT count(*)::int AS rows FROM outbox')).toEqual([{ rows: 0 }]);
    await publishing;
    expect((await numbers()).length).toBeLessThan(count);
    const second = start();
    await eventually(async () => expect(await numbers()).toHaveLength(count), { timeoutMs: 60_000 });
    second.signal('SIGTERM');
    expect((await second.ended).code).toBe(0);
    const effects = await effectsOf(dataSource, service);
    expect(new Set(effects.map(({ sequence }) => sequence)).size).toBe(count);
    expect(inversions(effects)).toEqual([]);
    const sent = await recordsOf(topicOf(events.DataArrived.topic, `${stream}-out`));
    expect(sent).toHaveLength(count);
    expect(new Set(sent.map(({ headers }) => headers?.['ce_causationid']?.toString())).size).toBe(count);
  }, 120_000);

  it('leaves within its deadline although a handler does not come to an end', async () => {
    await publisher.bulk.publish([marked(arrival(stream, 'k', 1), 'waits'), arrival(stream, 'k', 2)]);
    const { ready, ended, signal } = start({ tuning: { shutdownMs: 500 } });
    await ready;
    signal('SIGTERM');
    expect((await ended).code).toBe(0);
  }, 30_000);
});

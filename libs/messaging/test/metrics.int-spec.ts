// What an SRE reads at /metrics, after causing it. The registry is the one that the service kit serves there.
import { Controller } from '@nestjs/common';
import { events } from '@headrace/contracts';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { createTestDatabase, eventually, uniqueName, type TestDatabase } from '@headrace/testing';
import { OnEvent, type Outcome, type ReceivedEvent } from '@headrace/messaging';
import { register } from 'prom-client';
import type { DataSource } from 'typeorm';
import { openTestDatabase, startService, type RunningService } from './running-service';
import { arrival, arrivals } from './sample-events';

const SERVICE = uniqueName('metered');
const behaviour = new Map<string, () => Promise<Outcome | void>>();

@Controller()
class Handler {
  @OnEvent(events.DataArrived, { deadLetter: 'reorder-safe', notYetExpiryMs: 60_000 })
  async on(event: ReceivedEvent<DataArrived>): Promise<Outcome | void> {
    return behaviour.get(event.data.upstreamId)?.();
  }
}

/** Sum of the samples of one metric that have all these labels; undefined when there is none. */
async function read(name: string, labels: Record<string, string>): Promise<number | undefined> {
  const text = await register.metrics();
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const found = text
    .split('\n')
    .filter((line) => line.startsWith(`headrace_messaging_${name}{`) || line.startsWith(`headrace_messaging_${name} `))
    .filter((line) => wanted.every((label) => line.includes(label)));
  return found.length === 0 ? undefined : found.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

describe('metrics of messaging', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let running: RunningService;
  let stream: string;
  const group = { group: SERVICE };
  const type = { ...group, type: events.DataArrived.type };

  beforeAll(async () => {
    database = await createTestDatabase('metrics');
    dataSource = await openTestDatabase(database.url);
    stream = uniqueName('stream');
    running = await startService({
      service: SERVICE,
      dataSource,
      controllers: [Handler],
      subscribe: (subscriptions) => subscriptions.set(SERVICE, events.DataArrived, [stream]),
      tuning: { maxAttempts: 2 },
    });
  });

  afterAll(async () => {
    await running.stop();
    await dataSource.destroy();
    await database.drop();
  });

  it('tell of an idle group its lag in each partition and that it joined', async () => {
    expect(await read('consumer_lag_events', { ...group, topic: `data.${stream}.v1`, partition: '3' })).toBe(0);
    expect(await read('rebalances_total', group)).toBeGreaterThanOrEqual(1);
  });

  it('tell what was handled, how long it took, how old it was and in what batches', async () => {
    await running.bulk.publish(arrivals(stream, 50, 5));
    await eventually(async () => expect(await read('events_handled_total', { ...type, outcome: 'done' })).toBe(50));
    expect(await read('handling_seconds_count', type)).toBe(50);
    expect(await read('event_age_seconds_count', type)).toBe(50);
    expect(await read('batch_events_sum', group)).toBe(50);
    expect(await read('published_total', { path: 'bulk' })).toBeGreaterThanOrEqual(50);
  });

  it('tell that a partition waits, as readiness does, and that it goes on', async () => {
    let isAway = true;
    behaviour.set('51', () =>
      Promise.resolve(isAway ? { kind: 'transient', message: 'the store is away' } : { kind: 'done' }),
    );
    await running.bulk.publish([arrival(stream, 'k', 51), arrival(stream, 'k', 52)]);
    await eventually(async () => expect(await read('paused_partitions', group)).toBe(1));
    expect(running.health.status().ready).toBe(false);
    expect(running.health.status().reasons.join()).toContain('the store is away');
    expect(await read('retries_total', { ...group, kind: 'transient' })).toBeGreaterThanOrEqual(1);
    isAway = false;
    await eventually(async () => expect(await read('paused_partitions', group)).toBe(0));
    expect(running.health.status().ready).toBe(true);
  });

  it('tell dead letters by reason, repeated faults and what is parked', async () => {
    behaviour.set('53', () => Promise.resolve({ kind: 'rejected', code: 'bad', message: 'bad' }));
    behaviour.set('54', () => Promise.reject(new Error('a bug')));
    behaviour.set('55', () => Promise.resolve({ kind: 'not-yet', waitsFor: 'its cause' }));
    await running.bulk.publish([arrival(stream, 'k', 53), arrival(stream, 'k', 54), arrival(stream, 'k', 55)]);
    await eventually(async () => expect(await read('parked_events', { ...group, state: 'waiting' })).toBe(1));
    expect(await read('dead_letters_total', { ...group, reason: 'rejected' })).toBe(1);
    expect(await read('dead_letters_total', { ...group, reason: 'fault' })).toBe(1);
    expect(await read('retries_total', { ...group, kind: 'fault' })).toBeGreaterThanOrEqual(1);
  });

  it('tell depth and age of the outbox', async () => {
    await eventually(async () => expect(await read('outbox_rows', {})).toBe(0), { timeoutMs: 15_000 });
    expect(await read('outbox_oldest_seconds', {})).toBe(0);
  });

  it('have no label that grows with the data', async () => {
    const text = await register.metrics();
    const labels = new Set(
      [...text.matchAll(/^headrace_messaging_[^{]*\{([^}]*)\}/gm)].flatMap(([, all]) =>
        [...(all ?? '').matchAll(/(\w+)="/g)].map(([, label]) => label),
      ),
    );
    const bounded = ['group', 'type', 'outcome', 'topic', 'partition', 'kind', 'reason', 'state', 'path', 'le'];
    expect([...labels].filter((label) => !bounded.includes(label ?? ''))).toEqual([]);
  });
});

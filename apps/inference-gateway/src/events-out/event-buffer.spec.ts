import { events } from '@headrace/contracts';
import type { BulkMessage, BulkPublisher, Cause } from '@headrace/messaging';
import { eventually } from '@headrace/testing';
import { EventBuffer, type EventBufferOptions, type Outgoing } from './event-buffer';

/** Takes what it is given unless it is away; notes every try. */
class FakeKafka implements BulkPublisher {
  away = false;
  readonly tries: number[][] = [];
  readonly log: { id: string; sequence: number }[] = [];

  publish<T>(messages: readonly BulkMessage<T>[]): Promise<Cause[]> {
    this.tries.push(messages.map(({ producer }) => producer.sequence));
    if (this.away) return Promise.reject(new Error('no broker'));
    this.log.push(...messages.map(({ id, producer }) => ({ id, sequence: producer.sequence })));
    return Promise.resolve([]);
  }
}

function anEvent(id: string, version = 1): Outgoing<unknown> {
  const data = { endpoint: 'e', generation: 1, versions: [version], gateway: 'g', loadMicros: 1 };
  return {
    definition: events.DeploymentActivated as unknown as Outgoing<unknown>['definition'],
    data,
    id,
    cause: null,
  };
}

function setUp(overrides: Partial<EventBufferOptions> = {}) {
  const kafka = new FakeKafka();
  let dropped = 0;
  const faults: unknown[] = [];
  const buffer = new EventBuffer(kafka, {
    shard: 'boot-1',
    capacity: 1_000,
    flushEveryMs: 5,
    flushAt: 10,
    onDropped: (count) => (dropped += count),
    onFault: (error) => faults.push(error),
    ...overrides,
  });
  return { kafka, buffer, faults, dropped: () => dropped };
}

describe('the buffer of events that nobody waits for', () => {
  it('publishes in order with rising sequences, a full batch at once', async () => {
    const { kafka, buffer } = setUp({ flushEveryMs: 60_000 });
    for (let index = 1; index <= 10; index += 1) buffer.append(anEvent(`e${index}`));
    await eventually(() => expect(kafka.log).toHaveLength(10));
    expect(kafka.log.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(buffer.size).toBe(0);
    await buffer.close(1_000);
  });

  it('publishes a few after a short while', async () => {
    const { kafka, buffer } = setUp();
    buffer.append(anEvent('e1'));
    expect(kafka.tries).toEqual([]);
    await eventually(() => expect(kafka.log).toHaveLength(1));
    buffer.append(anEvent('e2'));
    await eventually(() => expect(kafka.log.map(({ id }) => id)).toEqual(['e1', 'e2']));
  });

  it('keeps them while Kafka is away and repeats the same batch with the same sequences', async () => {
    const { kafka, buffer, faults, dropped } = setUp();
    kafka.away = true;
    for (let index = 1; index <= 25; index += 1) buffer.append(anEvent(`e${index}`));
    await eventually(() => expect(kafka.tries.length).toBeGreaterThan(2));
    expect(buffer.size).toBe(25);
    expect(new Set(kafka.tries.map(String)).size).toBe(1);
    kafka.away = false;
    await eventually(() => expect(kafka.log).toHaveLength(25));
    expect(kafka.log.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 25 }, (_, index) => index + 1));
    expect(faults.length).toBeGreaterThan(2);
    expect(dropped()).toBe(0);
  });

  it('drops the newest and counts them when it is full', async () => {
    const { kafka, buffer, dropped } = setUp({ capacity: 20 });
    kafka.away = true;
    for (let index = 1; index <= 23; index += 1) buffer.append(anEvent(`e${index}`));
    expect(dropped()).toBe(3);
    kafka.away = false;
    await eventually(() => expect(kafka.log).toHaveLength(20));
    expect(kafka.log.at(-1)?.id).toBe('e20');
  });

  it('lets one that can never be written not hold up the others', async () => {
    const { kafka, buffer, dropped } = setUp();
    kafka.away = true;
    buffer.append(anEvent('good-1'));
    buffer.append(anEvent('bad', Number.NaN));
    buffer.append(anEvent('good-2'));
    await eventually(() => expect(dropped()).toBe(1));
    kafka.away = false;
    await eventually(() => expect(kafka.log.map(({ id }) => id)).toEqual(['good-1', 'good-2']));
  });

  it('publishes everything before it closes', async () => {
    const { kafka, buffer } = setUp({ flushEveryMs: 60_000 });
    for (let index = 1; index <= 37; index += 1) buffer.append(anEvent(`e${index}`));
    await buffer.close(5_000);
    expect(kafka.log).toHaveLength(37);
  });

  it('counts what it could not publish before its deadline', async () => {
    const { kafka, buffer, dropped } = setUp();
    kafka.away = true;
    for (let index = 1; index <= 7; index += 1) buffer.append(anEvent(`e${index}`));
    await buffer.close(50);
    expect(dropped()).toBe(7);
    expect(buffer.size).toBe(0);
  });
});

// One trace over real services: upstream record → records handler → bulk event → handler → outbox → handler → last event,
// as an OpenTelemetry collector gets it.
import { Controller, Inject } from '@nestjs/common';
import { events } from '@headrace/contracts';
import { DataArrived, DatasetVersionCommitted } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { TrainingFailed } from '@headrace/contracts/proto/training/v1/training_events';
import {
  createTestDatabase,
  eventually,
  startOtlpCollector,
  uniqueName,
  type ExportedSpan,
  type OtlpCollector,
  type TestDatabase,
} from '@headrace/testing';
import { startTracing, type Tracing } from '@headrace/tracing';
import {
  BULK_PUBLISHER,
  OnEvent,
  OnEventBatch,
  OnRecordBatch,
  type BulkPublisher,
  type RawRecord,
  type ReceivedEvent,
  type Transaction,
} from '@headrace/messaging';
import type { DataSource } from 'typeorm';
import { openTestDatabase, startService, type RunningService } from './running-service';
import { kafka, recordsOf } from './sample-events';

const stream = uniqueName('stream');
const upstreamTopic = uniqueName('upstream');
const INTAKE = uniqueName('intake');
const STORE = uniqueName('store');
const TRAINER = uniqueName('trainer');
const COUNTER = uniqueName('counter');
/** Of all events of this run, on topics that others use too. */
const subject = uniqueName('subject');

@Controller()
class Intake {
  constructor(@Inject(BULK_PUBLISHER) private readonly bulk: BulkPublisher) {}

  @OnRecordBatch(INTAKE, { deadLetter: 'reorder-safe' })
  async onRecords(records: RawRecord[]): Promise<void> {
    await this.bulk.publish(
      records.map(({ topic, partition, offset, headers }) => ({
        definition: events.DataArrived,
        data: DataArrived.fromPartial({ stream, recordKey: 'k' }),
        id: `${topic}/${partition}/${offset}`,
        producer: { shard: `${topic}/${partition}`, sequence: offset },
        cause: { eventId: `upstream-${offset}`, correlationId: 'loop' },
        trace: headers['traceparent']?.toString() ?? null,
        stream,
      })),
    );
  }
}

@Controller()
class Store {
  @OnEvent(events.DataArrived, { deadLetter: 'reorder-safe', group: STORE })
  onArrival(_event: ReceivedEvent<DataArrived>, transaction: Transaction): Promise<void> {
    transaction.publish(events.DatasetVersionCommitted, DatasetVersionCommitted.fromPartial({ dataset: { stream } }), {
      subject,
    });
    return Promise.resolve();
  }
}

@Controller()
class Trainer {
  @OnEvent(events.DatasetVersionCommitted, { deadLetter: 'reorder-safe', group: TRAINER })
  onVersion(event: ReceivedEvent<DatasetVersionCommitted>, transaction: Transaction): Promise<void> {
    if (event.subject !== subject) return Promise.resolve();
    const first = transaction.publish(events.TrainingFailed, TrainingFailed.fromPartial({ plan: 'p' }), { subject });
    // As services write a chain down: the new event's id, and the trace as they know it.
    const cause = { ...event, eventId: first };
    transaction.publish(events.TrainingFailed, TrainingFailed.fromPartial({ plan: 'p' }), { subject, cause });
    return Promise.resolve();
  }
}

@Controller()
class Counter {
  @OnEventBatch(events.DataArrived, { deadLetter: 'reorder-safe', group: COUNTER })
  onArrivals(_events: ReceivedEvent<DataArrived>[]): Promise<void> {
    return Promise.resolve();
  }
}

describe('a trace', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let collector: OtlpCollector;
  let tracing: Tracing | undefined;
  const running: RunningService[] = [];

  async function publishUpstream(headers: readonly Record<string, string>[]): Promise<void> {
    const producer = kafka().producer();
    await producer.connect();
    await producer.send({
      topic: upstreamTopic,
      messages: headers.map((one) => ({ key: 'k', value: '{}', headers: one })),
    });
    await producer.disconnect();
  }

  beforeAll(async () => {
    database = await createTestDatabase('tracing');
    dataSource = await openTestDatabase(database.url, 40);
    collector = await startOtlpCollector();
    process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = collector.endpoint;
    process.env['OTEL_BSP_SCHEDULE_DELAY'] = '50';
    tracing = await startTracing({ service: 'spec', log: { warn: () => undefined } });
    const admin = kafka().admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: upstreamTopic, numPartitions: 1 }] });
    await admin.disconnect();
    // The records wait for the services, so that they come in one batch.
    await publishUpstream([
      { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
      { traceparent: '00-00000000000000000000000000000000-b7ad6b7169203331-01' },
      { traceparent: '00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-00' },
      {},
    ]);
    for (const [service, controller] of [
      [STORE, Store],
      [TRAINER, Trainer],
      [COUNTER, Counter],
      [INTAKE, Intake],
    ] as const) {
      running.push(
        await startService({
          service,
          dataSource,
          controllers: [controller],
          subscribe: (subscriptions) => {
            if (service === INTAKE) subscriptions.setForeign(INTAKE, [upstreamTopic]);
            if (service === STORE || service === COUNTER) subscriptions.set(service, events.DataArrived, [stream]);
          },
        }),
      );
    }
  }, 60_000);

  afterAll(async () => {
    await Promise.all(running.map((service) => service.stop()));
    await tracing?.stop(1_000);
    await collector.close();
    await dataSource.destroy();
    await database.drop();
  });

  it('holds every hop from the upstream record to the last event, each below what caused it', async () => {
    const UPSTREAM_TRACE = '0af7651916cd43dd8448eb211c80319c';
    const spans = await eventually(
      () => {
        const found = collector.spans.filter(({ traceId }) => traceId === UPSTREAM_TRACE);
        expect(found.filter(({ name }) => name === 'send TrainingFailed')).toHaveLength(2);
        expect(found.length).toBeGreaterThanOrEqual(9);
        return found;
      },
      { timeoutMs: 30_000 },
    );
    const byName = (name: string): ExportedSpan[] => spans.filter((span) => span.name === name);
    const below = (parent: ExportedSpan | undefined, name: string): ExportedSpan[] =>
      byName(name).filter(({ parentSpanId }) => parentSpanId === parent?.spanId);

    const [arrived, ...others] = byName('create DataArrived');
    expect(others).toEqual([]);
    expect(arrived?.parentSpanId).toBe('b7ad6b7169203331');
    expect(arrived?.attributes).toMatchObject({
      'cloudevents.event_id': `${upstreamTopic}/0/0`,
      'headrace.service': INTAKE,
      'headrace.correlation_id': 'loop',
    });

    const [stored] = below(arrived, 'process DataArrived');
    expect(stored?.attributes).toMatchObject({
      'messaging.consumer.group.name': STORE,
      'cloudevents.event_id': `${upstreamTopic}/0/0`,
    });
    const [version] = below(stored, 'create DatasetVersionCommitted');
    const [versionSent] = below(version, 'send DatasetVersionCommitted');
    expect(versionSent?.endNanos).toBeGreaterThanOrEqual(versionSent?.startNanos ?? 0n);

    const [trained] = below(version, 'process DatasetVersionCommitted');
    expect(trained?.attributes).toMatchObject({ 'messaging.consumer.group.name': TRAINER });
    const [first] = below(trained, 'create TrainingFailed');
    const [second] = below(first, 'create TrainingFailed');
    expect(below(first, 'send TrainingFailed')).toHaveLength(1);
    expect(below(second, 'send TrainingFailed')).toHaveLength(1);
    // 3 creations, 1 of the chain, 3 sendings through the outbox, 2 handlings: nothing else belongs to it.
    expect(spans.map(({ name }) => name).sort()).toEqual([
      'create DataArrived',
      'create DatasetVersionCommitted',
      'create TrainingFailed',
      'create TrainingFailed',
      'process DataArrived',
      'process DatasetVersionCommitted',
      'send DatasetVersionCommitted',
      'send TrainingFailed',
      'send TrainingFailed',
    ]);
    expect(spans.some(({ failed }) => failed)).toBe(false);
    expect(spans[0]?.resource).toMatchObject({ 'service.name': 'spec', 'service.namespace': 'headrace' });
  });

  it('is on the wire what was recorded: each event names its own span', async () => {
    const records = await recordsOf(`data.${stream}.v1`);
    const created = await eventually(() => {
      const found = collector.spans.filter(({ name }) => name === 'create DataArrived');
      expect(found).toHaveLength(3);
      return found;
    });
    for (const { traceId, spanId, attributes } of created) {
      const record = records.find(
        ({ headers }) => headers?.['ce_id']?.toString() === attributes['cloudevents.event_id'],
      );
      expect(record?.headers?.['traceparent']?.toString()).toBe(`00-${traceId}-${spanId}-01`);
    }
  });

  it('is begun for records without a valid one, and not recorded when its beginner said so', async () => {
    const records = await recordsOf(`data.${stream}.v1`);
    const contexts = records.map(({ headers }) => headers?.['traceparent']?.toString() ?? '');
    expect(contexts).toHaveLength(4);
    expect(contexts.every((context) => /^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/.test(context))).toBe(true);
    expect(new Set(contexts.map((context) => context.slice(3, 35))).size).toBe(4);
    expect(contexts.filter((context) => context.endsWith('-00'))).toEqual([
      expect.stringMatching(/^00-1af7651916cd43dd8448eb211c80319c-/),
    ]);
    expect(collector.spans.some(({ traceId }) => traceId.startsWith('1af7'))).toBe(false);
  });

  it('of a batch handler links the events of the batch', async () => {
    const batches = await eventually(() => {
      const found = collector.spans.filter(
        ({ name, attributes }) =>
          name === 'process DataArrived' && attributes['messaging.consumer.group.name'] === COUNTER,
      );
      expect(found.length).toBeGreaterThan(0);
      return found;
    });
    const arrived = collector.spans.filter(({ name }) => name === 'create DataArrived').map(({ spanId }) => spanId);
    const belong = batches.flatMap(({ links, parentSpanId }) => [...links.map(({ spanId }) => spanId), parentSpanId]);
    expect(belong).toEqual(expect.arrayContaining(arrived));
  });
});

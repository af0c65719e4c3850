import { Controller } from '@nestjs/common';
import { events, topicOf, topics } from '@headrace/contracts';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { createTestDatabase, eventually, testKafkaBrokers, uniqueName, type TestDatabase } from '@headrace/testing';
import { ensureTopics, OnEvent, type ReceivedEvent } from '@headrace/messaging';
import type { DataSource } from 'typeorm';
import { openTestDatabase, startService, type RunningService } from './running-service';
import { kafka } from './sample-events';

const SERVICE = uniqueName('checked');

@Controller()
class Handlers {
  @OnEvent(events.DataArrived, { deadLetter: 'reorder-safe' })
  async on(_event: ReceivedEvent<DataArrived>): Promise<void> {
    await Promise.resolve();
  }
}

describe('topics that somebody else made', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let running: RunningService;

  beforeAll(async () => {
    database = await createTestDatabase('topic_check');
    dataSource = await openTestDatabase(database.url);
    running = await startService({ service: SERVICE, dataSource, controllers: [Handlers] });
  });

  afterAll(async () => {
    await running.stop();
    await dataSource.destroy();
    await database.drop();
  });

  async function made(
    partitions: number,
    settings: Record<string, string>,
  ): Promise<{ stream: string; topic: string }> {
    const stream = uniqueName('stream');
    const topic = topicOf(topics.data, stream);
    const admin = kafka().admin();
    await admin.connect();
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }], waitForLeaders: true });
    await admin.disconnect();
    return { stream, topic };
  }

  it('are not consumed with other partitions or another clean-up; the service says why and is not ready', async () => {
    const { stream, topic } = await made(2, { 'cleanup.policy': 'compact', 'retention.ms': '-1' });
    const fault = `topic ${topic}: partitions is 2, expected 4; topic ${topic}: cleanup.policy is compact, expected delete`;

    running.subscriptions.set(SERVICE, events.DataArrived, [stream]);
    await eventually(() => expect(running.health.status().reasons.join()).toContain(fault));
    expect(running.health.status().ready).toBe(false);
    await expect(ensureTopics(testKafkaBrokers(), [topic])).rejects.toThrow(fault);

    running.subscriptions.set(SERVICE, events.DataArrived, []);
    await eventually(() => expect(running.health.status().ready).toBe(true));
  }, 30_000);

  it('are consumed with another retention, with a warning', async () => {
    const { stream, topic } = await made(4, { 'retention.ms': '3600000' });

    running.subscriptions.set(SERVICE, events.DataArrived, [stream]);
    await eventually(() =>
      expect(running.warnings.map(({ message }) => message)).toContain(
        `topic ${topic}: retention.ms is 3600000, expected -1`,
      ),
    );
    await eventually(() => expect(running.health.status().ready).toBe(true));
  }, 30_000);
});

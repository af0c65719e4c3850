// A service that refuses events until it is mended: for commands about dead letters.
import 'reflect-metadata';
import { Controller, Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { events } from '@headrace/contracts';
import { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import {
  BULK_PUBLISHER,
  KafkaEventServer,
  MessagingModule,
  messagingMigrations,
  OnEvent,
  TOPIC_SUBSCRIPTIONS,
  type BulkPublisher,
  type Outcome,
  type ReceivedEvent,
  type TopicSubscriptions,
  type Transaction,
} from '@headrace/messaging';
import { createTestDatabase, testKafkaBrokers, uniqueName } from '@headrace/testing';
import { DataSource } from 'typeorm';

export class RefusingService {
  private sequence = 0;

  private constructor(
    readonly group: string,
    readonly stream: string,
    private readonly dataSource: DataSource,
    private readonly refused: Set<string>,
    private readonly publisher: BulkPublisher,
    readonly stop: () => Promise<void>,
  ) {}

  /** Refuses what has one of these upstream ids. */
  static async start(refused: readonly string[]): Promise<RefusingService> {
    const database = await createTestDatabase('refusing');
    const dataSource = await new DataSource({
      type: 'postgres',
      url: database.url,
      migrations: [...messagingMigrations],
      poolSize: 15,
    }).initialize();
    await dataSource.runMigrations();
    await dataSource.query('CREATE TABLE applied (nth bigserial, upstream_id text)');
    const [group, stream] = [uniqueName('refusing'), uniqueName('stream')];
    const still = new Set(refused);

    @Controller()
    class Refusing {
      @OnEvent(events.DataArrived, { deadLetter: 'park-key' })
      async on(event: ReceivedEvent<DataArrived>, transaction: Transaction): Promise<Outcome> {
        const id = event.data.upstreamId;
        if (still.has(id)) return { kind: 'rejected', code: 'not_mine', message: `refuses ${id}` };
        await transaction.query('INSERT INTO applied (upstream_id) VALUES ($1)', [id]);
        return { kind: 'done' };
      }
    }
    @Global()
    @Module({ providers: [{ provide: DataSource, useValue: dataSource }], exports: [DataSource] })
    class DatabaseModule {}

    const testing = await Test.createTestingModule({
      imports: [DatabaseModule, MessagingModule.forService({ service: group, brokers: testKafkaBrokers() })],
      controllers: [Refusing],
    }).compile();
    const app = testing.createNestApplication({ logger: false });
    app.connectMicroservice({ strategy: app.get(KafkaEventServer) }, { inheritAppConfig: true });
    await app.init();
    app.get<TopicSubscriptions>(TOPIC_SUBSCRIPTIONS).set(group, events.DataArrived, [stream]);
    await app.startAllMicroservices();
    const publisher = app.get<BulkPublisher>(BULK_PUBLISHER);
    return new RefusingService(group, stream, dataSource, still, publisher, async () => {
      await app.close();
      await dataSource.destroy();
      await database.drop();
    });
  }

  /** Upstream ids that were applied, in order. */
  async applied(): Promise<string[]> {
    const found: unknown = await this.dataSource.query('SELECT upstream_id FROM applied ORDER BY nth');
    return (found as { upstream_id: string }[]).map((row) => row.upstream_id);
  }

  mend(): void {
    this.refused.clear();
  }

  async publish(key: string, ...upstreamIds: readonly string[]): Promise<void> {
    await this.publisher.publish(
      upstreamIds.map((upstreamId) => ({
        definition: events.DataArrived,
        data: DataArrived.fromPartial({ stream: this.stream, recordKey: key, upstreamId }),
        id: `${this.stream}/${upstreamId}`,
        producer: { shard: 'upstream', sequence: (this.sequence += 1) },
        cause: null,
        stream: this.stream,
      })),
    );
  }
}

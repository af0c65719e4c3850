// Contender: Nest's own Kafka transport, one transaction an event: the upsert and an outbox row.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload, Transport } from '@nestjs/microservices';
import { DataArrived, folded, NEXT, NEXT_TOPIC, openDataSource, tellProgress, TOPIC } from './setup.mjs';

const plan = JSON.parse(process.argv[2]);
let handled = 0;
const dataSource = await openDataSource(plan);

class Handler {
  async on(value) {
    const data = DataArrived.codec.decode(value);
    await dataSource.transaction(async (manager) => {
      await manager.query(...folded([{ key: data.recordKey, number: data.upstreamId }]));
      const next = Buffer.from(DataArrived.codec.encode({ ...data, stream: NEXT }).finish());
      await manager.query('INSERT INTO one_event (topic, key, headers, value) VALUES ($1, $2, $3, $4)', [
        NEXT_TOPIC,
        Buffer.from(data.recordKey),
        '{}',
        next,
      ]);
    });
    handled += 1;
  }
}
Payload()(Handler.prototype, 'on', 0);
EventPattern(TOPIC)(Handler.prototype, 'on', Object.getOwnPropertyDescriptor(Handler.prototype, 'on'));
Controller()(Handler);
class BenchModule {}
Module({ controllers: [Handler] })(BenchModule);

const app = await NestFactory.createMicroservice(BenchModule, {
  transport: Transport.KAFKA,
  logger: ['error'],
  options: {
    client: { brokers: [plan.brokers] },
    consumer: { groupId: plan.group },
    subscribe: { fromBeginning: true },
    run: { partitionsConsumedConcurrently: 4 },
    parser: { keepBinary: true },
  },
});
await app.listen();
tellProgress(() => handled);

// Contender: the whole consumer path of libs/messaging. One row by key and one outbox event for each event, exactly once.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import messaging from '@headrace/messaging';
import { DataSource } from 'typeorm';
import { DataArrived, folded, NEXT, openDataSource, STREAM, tellProgress } from './setup.mjs';

const plan = JSON.parse(process.argv[2]);
let handled = 0;

class Handler {
  async on(events, transaction) {
    await transaction.query(...folded(events.map(({ key, data }) => ({ key, number: data.upstreamId }))));
    for (const event of events) {
      transaction.publish(DataArrived, { ...event.data, stream: NEXT }, { stream: NEXT, cause: event });
    }
    handled += events.length;
  }
}
const decorate = messaging.OnEventBatch(DataArrived, { deadLetter: 'reorder-safe', group: plan.group });
const descriptor = Object.getOwnPropertyDescriptor(Handler.prototype, 'on');
Object.defineProperty(Handler.prototype, 'on', decorate(Handler.prototype, 'on', descriptor));
Controller()(Handler);

const dataSource = await openDataSource(plan);
class DatabaseModule {}
Module({})(DatabaseModule);
class BenchModule {}
const providers = [{ provide: DataSource, useValue: dataSource }];
Module({
  imports: [
    { module: DatabaseModule, global: true, providers, exports: [DataSource] },
    messaging.MessagingModule.forService({ service: plan.group, brokers: [plan.brokers], tuning: plan.tuning ?? {} }),
  ],
  controllers: [Handler],
})(BenchModule);
const app = await NestFactory.create(BenchModule, { logger: ['error'] });
app.connectMicroservice({ strategy: app.get(messaging.KafkaEventServer) });
await app.init();
app.get(messaging.TOPIC_SUBSCRIPTIONS).set(plan.group, DataArrived, [STREAM]);
await app.startAllMicroservices();
tellProgress(() => handled);

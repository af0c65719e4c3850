// A small service on libs/messaging, one process of it: `node service.mjs <plan as JSON>`. Group <group> notes each event of
// data.<stream>.v1 in `effects` and publishes it on to data.<next>.v1, whose group <group>-next notes it in `follow_ups`.
//
// Tells its readiness through IPC; ends with its parent.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import contracts from '@headrace/contracts';
import messaging from '@headrace/messaging';
import { DataSource } from 'typeorm';
import runtimeModule from '../libs/messaging/dist/messaging-runtime.js';
import { randomFrom } from './random.mjs';

const plan = JSON.parse(process.argv[2]);
const { events } = contracts;
const QUICK = { sessionTimeoutMs: 2_000, heartbeatMs: 300, idleInTransactionMs: 3_000 };

/** What a decorator in TypeScript does. */
function handle(controller, method, decorate) {
  const descriptor = Object.getOwnPropertyDescriptor(controller.prototype, method);
  Object.defineProperty(controller.prototype, method, decorate(controller.prototype, method, descriptor));
}

async function isMended(transaction) {
  return (await transaction.query('SELECT 1 FROM mended')).length > 0;
}

class Effects {
  async on(event, transaction) {
    const { stream, recordKey, upstreamId } = event.data;
    const [fault, number] = upstreamId.includes(':') ? upstreamId.split(':') : ['', upstreamId];
    if (fault === 'cause') {
      await transaction.query('INSERT INTO causes (id) VALUES ($1)', [number]);
      return undefined;
    }
    if (fault === 'needs') {
      const causes = await transaction.query('SELECT 1 FROM causes WHERE id = $1', [number]);
      if (causes.length === 0) return { kind: 'not-yet', waitsFor: `cause ${number}` };
    }
    if (fault === 'invalid' && !(await isMended(transaction))) {
      return { kind: 'rejected', code: 'not_acceptable', message: 'the domain refuses it' };
    }
    await transaction.query('INSERT INTO effects (event_id, key, sequence, stream) VALUES ($1, $2, $3, $4)', [
      event.eventId,
      recordKey,
      number,
      stream,
    ]);
    // Both after the effect was written: it must be undone.
    if (fault === 'throws' && !(await isMended(transaction))) throw new Error('a fault that nobody foresaw');
    if (fault === 'hangs' && !(await isMended(transaction))) await new Promise(() => undefined);
    const oversized = fault === 'oversized' && !(await isMended(transaction));
    const value = oversized ? { ...event.data, streamVersion: 'x'.repeat(1_000_001) } : event.data;
    transaction.publish(events.DataArrived, { ...value, stream: plan.next, upstreamId: number }, { stream: plan.next });
    return undefined;
  }
}
handle(
  Effects,
  'on',
  messaging.OnEvent(events.DataArrived, {
    deadLetter: 'reorder-safe',
    group: plan.group,
    notYetExpiryMs: plan.notYetExpiryMs ?? 60_000,
  }),
);
Controller()(Effects);

class FollowUps {
  async on(event, transaction) {
    await transaction.query('INSERT INTO follow_ups (event_id, key, sequence) VALUES ($1, $2, $3)', [
      event.causationId,
      event.key,
      event.data.upstreamId,
    ]);
  }
}
handle(
  FollowUps,
  'on',
  messaging.OnEvent(events.DataArrived, { deadLetter: 'reorder-safe', group: `${plan.group}-next` }),
);
Controller()(FollowUps);

const write = (level) => (fields, message) =>
  process.stderr.write(
    `${new Date().toISOString().slice(11, 23)} ${process.pid} ${level} ${message} ${JSON.stringify(fields)}\n`,
  );
const logger = {
  debug: plan.verbose ? write('debug') : () => undefined,
  info: () => undefined,
  warn: write('warn'),
  error: write('error'),
};

const dataSource = await connected();

/** As the service kit does: a service that starts while its database is away waits for it. */
async function connected() {
  for (;;) {
    const source = new DataSource({
      type: 'postgres',
      url: plan.databaseUrl,
      poolSize: 20,
      poolErrorHandler: (error) => logger.warn({ fault: error.message }, 'a database connection was lost'),
    });
    try {
      return await source.initialize();
    } catch (error) {
      logger.warn({ fault: error.message }, 'no database yet');
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

class DatabaseModule {}
Module({})(DatabaseModule);
class SampleModule {}
Module({
  imports: [
    {
      module: DatabaseModule,
      global: true,
      providers: [{ provide: DataSource, useValue: dataSource }],
      exports: [DataSource],
    },
    messaging.MessagingModule.forService({
      service: plan.group,
      brokers: [plan.brokers],
      logger,
      tuning: { ...QUICK, ...plan.tuning },
    }),
  ],
  controllers: [Effects, FollowUps],
})(SampleModule);

const app = await NestFactory.create(SampleModule, { logger: ['error'] });
app.enableShutdownHooks(['SIGTERM']);
if (plan.dieAfterAcknowledgement) dieAfterAcknowledgement(plan.dieAfterAcknowledgement);
const server = app.get(messaging.KafkaEventServer);
app.connectMicroservice({ strategy: server });
await app.init();
const subscriptions = app.get(messaging.TOPIC_SUBSCRIPTIONS);
subscriptions.set(plan.group, events.DataArrived, plan.streams ?? [plan.stream]);
subscriptions.set(`${plan.group}-next`, events.DataArrived, [plan.next]);
await app.startAllMicroservices();
const health = app.get(messaging.MESSAGING_HEALTH);
let joined = false;
void server.whenReady().then(() => (joined = true));
const tell = () => {
  const { ready, reasons } = health.status();
  if (process.connected) process.send({ ready: ready && joined, reasons });
};
setInterval(tell, 100);
process.on('disconnect', () => process.exit(0));
if (plan.commandsPerSecond) command(plan.commandsPerSecond);

/**
 * Events that no event started, straight into the outbox: also while nothing can be consumed. Until the parent says a word.
 */
function command(perSecond) {
  const unitOfWork = app.get(messaging.UNIT_OF_WORK);
  const { codec } = events.DataArrived;
  let stopped = false;
  process.on('message', () => (stopped = true));
  const one = async (number) => {
    const id = `command/${number}`;
    await unitOfWork.run(async (transaction) => {
      await transaction.query('INSERT INTO commands (event_id) VALUES ($1)', [id]);
      const data = codec.fromPartial({ stream: plan.next, recordKey: 'command', upstreamId: String(number) });
      const cause = { eventId: id, correlationId: id };
      transaction.publish(events.DataArrived, data, { stream: plan.next, cause });
    });
  };
  const next = async (number) => {
    if (stopped) return;
    const done = await one(number).then(
      () => true,
      (error) => logger.warn({ fault: error.message }, 'a command failed'),
    );
    setTimeout(() => void next(done ? number + 1 : number), 1000 / perSecond);
  };
  void next(1);
}

/** The relay's own hook for tests is not in the public options: reached through the runtime. */
function dieAfterAcknowledgement({ seed, probability }) {
  const random = randomFrom(seed);
  const { relay } = app.get(runtimeModule.MessagingRuntime);
  relay.options.onAcknowledged = async () => {
    if (random() < probability) process.kill(process.pid, 'SIGKILL');
  };
}

// A service of the specs as a process of its own, from the built library. Settings: JSON in the first argument.
require('reflect-metadata');
const { Controller, Global, Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { DataSource } = require('typeorm');
const { events } = require('@headrace/contracts');
const {
  KafkaEventServer,
  MessagingModule,
  OnEvent,
  OnEventBatch,
  TOPIC_SUBSCRIPTIONS,
} = require('@headrace/messaging');

const { service, brokers, databaseUrl, stream, kind, tuning } = JSON.parse(process.argv[2]);

/** One effect for each event; `publishes` also sends it on to the stream `<stream>-out`; `hangs` stops the event loop. */
async function apply(event, transaction) {
  if (event.data.warnings.includes('hangs')) for (;;);
  if (event.data.warnings.includes('waits')) {
    process.stdout.write('waits\n');
    await new Promise(() => undefined);
  }
  await transaction.query('INSERT INTO effects (service, key, sequence, note) VALUES ($1, $2, $3, $4)', [
    service,
    event.key,
    event.data.upstreamId,
    event.eventId,
  ]);
  if (event.data.warnings.includes('publishes')) {
    const data = { ...event.data, stream: `${stream}-out` };
    transaction.publish(events.DataArrived, data, { stream: `${stream}-out`, cause: event });
  }
}

class Handler {
  on(event, transaction) {
    return apply(event, transaction);
  }

  async onBatch(arrived, transaction) {
    for (const event of arrived) await apply(event, transaction);
  }
}

/** As a decorator in TypeScript does it. */
const method = kind === 'batch' ? 'onBatch' : 'on';
const decorate = (kind === 'batch' ? OnEventBatch : OnEvent)(events.DataArrived, { deadLetter: 'reorder-safe' });
const descriptor = Object.getOwnPropertyDescriptor(Handler.prototype, method);
Object.defineProperty(Handler.prototype, method, decorate(Handler.prototype, method, descriptor) ?? descriptor);
Controller()(Handler);

class DatabaseModule {}

class ServiceModule {}

async function run() {
  const dataSource = await new DataSource({
    type: 'postgres',
    url: databaseUrl,
    poolSize: 15,
    poolErrorHandler: () => undefined,
  }).initialize();
  Global()(DatabaseModule);
  Module({ providers: [{ provide: DataSource, useValue: dataSource }], exports: [DataSource] })(DatabaseModule);
  const log = (level) => (fields, message) =>
    process.stderr.write(`${JSON.stringify({ level, ...fields, message })}\n`);
  const logger = { debug: () => undefined, info: log('info'), warn: log('warn'), error: log('error') };
  const messaging = MessagingModule.forService({ service, brokers, logger, tuning });
  Module({ imports: [DatabaseModule, messaging], controllers: [Handler] })(ServiceModule);
  const app = await NestFactory.create(ServiceModule, { logger: false });
  app.connectMicroservice({ strategy: app.get(KafkaEventServer) }, { inheritAppConfig: true });
  await app.init();
  app.get(TOPIC_SUBSCRIPTIONS).set(service, events.DataArrived, [stream]);
  process.once('SIGTERM', () =>
    app.close().then(
      () => process.exit(0),
      () => process.exit(2),
    ),
  );
  await app.startAllMicroservices();
  await app.get(KafkaEventServer).whenReady();
  process.stdout.write('ready\n');
}

run().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(3);
});

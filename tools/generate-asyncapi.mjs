// docs/asyncapi.yaml (AsyncAPI 3.0) from proto/, the event catalogue and the services' handlers. Needs libs/contracts
// built, which generate-docs.mjs does.
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { repository } from './child.mjs';
import { readConsumers } from './event-consumers.mjs';
import { schemasOf } from './json-schema.mjs';
import { readProtos } from './protos.mjs';

const require = createRequire(join(repository, 'package.json'));
const { events, topics } = require('@headrace/contracts');
const { version } = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8'));
const KAFKA = '0.5.0';

const eventList = Object.entries(events);
const eventsOf = (topic) => eventList.filter(([, definition]) => definition.topic === topic).map(([name]) => name);
const object = (entries) => Object.fromEntries(entries);
const schemaRef = (name) => `#/components/schemas/${name}`;

/** Channel (key of the catalogue's topics) → what stands there. */
const channels = object(
  Object.entries(topics).map(([key, topic]) => [
    key,
    {
      address: topic.name,
      title: topic.name,
      description: topic.description,
      ...(topic.name.includes('{stream}')
        ? { parameters: { stream: { description: 'Name of a DataStream: a-z, 0-9 and hyphens, at most 63.' } } }
        : {}),
      messages: object(eventsOf(topic).map((name) => [name, { $ref: `#/components/messages/${name}` }])),
      bindings: {
        kafka: {
          partitions: topic.partitions,
          topicConfiguration: {
            'cleanup.policy': [topic.cleanup],
            ...(topic.cleanup === 'delete' ? { 'retention.ms': topic.retentionMs } : {}),
          },
          bindingVersion: KAFKA,
        },
      },
    },
  ]),
);

const operation = (action, service, channel, names, summary) => [
  `${service}.${action}.${channel}`,
  {
    action,
    channel: { $ref: `#/channels/${channel}` },
    summary,
    tags: [{ name: service }],
    messages: names.map((name) => ({ $ref: `#/channels/${channel}/messages/${name}` })),
  },
];

async function operationsOf() {
  const consumers = await readConsumers();
  const services = [...new Set([...consumers.keys(), ...eventList.map(([, { producer }]) => producer)])]
    .filter((service) => !service.includes(' '))
    .sort();
  const operations = [];
  for (const service of services) {
    const consumed = consumers.get(service);
    for (const [channel, topic] of Object.entries(topics)) {
      const names = eventsOf(topic);
      const definitions = topic === topics.definitions && consumed?.definitions === true;
      const sent = names.filter((name) => definitions || events[name].producer === service);
      if (sent.length > 0)
        operations.push(operation('send', service, channel, sent, `${service} publishes to ${topic.name}.`));
      const broadcast = definitions || consumed?.topics.has(channel) === true;
      const received = names.filter((name) => broadcast || consumed?.events.has(name) === true);
      if (received.length === 0) continue;
      const how = broadcast ? 'reads all of' : 'handles events of';
      operations.push(operation('receive', service, channel, received, `${service} ${how} ${topic.name}.`));
    }
  }
  return object(operations);
}

const text = (description, more = {}) => ({ type: 'string', minLength: 1, description, ...more });
const headers = {
  type: 'object',
  description: 'CloudEvents 1.0, Kafka protocol binding, binary mode.',
  required: [
    'content-type',
    'ce_specversion',
    'ce_id',
    'ce_source',
    'ce_type',
    'ce_time',
    'ce_correlationid',
    'ce_producershard',
    'ce_producersequence',
  ],
  properties: {
    'content-type': { type: 'string', const: 'application/protobuf' },
    ce_specversion: { type: 'string', const: '1.0' },
    ce_id: text('Unique for its source.'),
    ce_source: text('/headrace/<service>', { format: 'uri-reference' }),
    ce_type: text('Full name of the protobuf message.'),
    ce_time: text('When it happened, RFC 3339 with microseconds.', { format: 'date-time' }),
    ce_subject: text('What the event is about.'),
    ce_correlationid: text('Id of the event that began the chain.'),
    ce_causationid: text('Id of the event that caused this one; absent when it came from outside.'),
    ce_producershard: text('Whose numbering ce_producersequence belongs to.'),
    ce_producersequence: text('Rises within the shard, gaps allowed: how repeats are recognised.', {
      pattern: '^[0-9]+$',
    }),
    traceparent: text('W3C trace context.'),
  },
};

const messages = object(
  eventList.map(([name, definition]) => [
    name,
    {
      name: definition.type,
      title: name,
      summary: definition.description,
      contentType: 'application/protobuf',
      headers: { $ref: schemaRef('CloudEventHeaders') },
      payload: { $ref: schemaRef(definition.type) },
      correlationId: { $ref: '#/components/correlationIds/chain' },
      bindings: {
        kafka: { key: { type: 'string', description: definition.topic.key }, bindingVersion: KAFKA },
      },
    },
  ]),
);

const schemas = schemasOf(
  await readProtos(),
  eventList.map(([, { type }]) => type),
  schemaRef,
);

const document = {
  asyncapi: '3.0.0',
  info: {
    title: 'Headrace events',
    version,
    description: [
      'Every event of the log. Values are the binary form of the protobuf messages in proto/; the payload schemas here are',
      'their JSON form, as `headrace events` prints it. What a consumer group could not accept goes to',
      '`<topic>.<group>.dlq` with the reason, the original bytes and headers.',
    ].join('\n'),
    license: { name: 'Apache-2.0' },
  },
  defaultContentType: 'application/protobuf',
  servers: {
    log: {
      host: '{brokers}',
      protocol: 'kafka',
      description: 'The one log of an installation.',
      variables: { brokers: { default: 'localhost:9092', description: 'host:port, as KAFKA_BROKERS has them.' } },
    },
  },
  channels,
  operations: await operationsOf(),
  components: {
    messages,
    correlationIds: {
      chain: { location: '$message.header#/ce_correlationid', description: 'The chain an event belongs to.' },
    },
    schemas: { CloudEventHeaders: headers, ...object(schemas) },
  },
};

const heading =
  '# Generated by `npm run generate` from proto/, libs/contracts/src/catalogue.ts and the handlers: do not edit.\n';
await writeFile(
  join(repository, 'docs', 'asyncapi.yaml'),
  `${heading}${stringify(document, { aliasDuplicateObjects: false, lineWidth: 120 })}`,
);

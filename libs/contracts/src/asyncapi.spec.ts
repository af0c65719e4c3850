import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DiagnosticSeverity, Parser } from '@asyncapi/parser';
import { events, topics, type TopicDefinition } from './catalogue';

const text = readFileSync(join(__dirname, '../../../docs/asyncapi.yaml'), 'utf8');

async function parsed() {
  const { document, diagnostics } = await new Parser().parse(text);
  // Advice (a contact, a newer version of AsyncAPI) is no fault.
  const faults = diagnostics.filter(
    ({ severity }) => severity === DiagnosticSeverity.Error || severity === DiagnosticSeverity.Warning,
  );
  return { document, faults: faults.map(({ message, path }) => `${path.join('.')}: ${message}`) };
}

describe('the AsyncAPI document', () => {
  it('is valid for the AsyncAPI parser, without errors or warnings', async () => {
    expect((await parsed()).faults).toEqual([]);
  });

  it('has a channel for every topic, with its address, partitions, clean-up and retention', async () => {
    const { document } = await parsed();
    const channels = document?.allChannels().all() ?? [];
    const described = channels.map((channel) => [
      channel.id(),
      channel.address(),
      channel.bindings().get('kafka')?.value<unknown>(),
    ]);
    const catalogue: [string, TopicDefinition][] = Object.entries(topics);
    expect(described).toEqual(
      catalogue.map(([key, { name, partitions, cleanup, retentionMs }]) => [
        key,
        name,
        {
          partitions,
          topicConfiguration: {
            'cleanup.policy': [cleanup],
            ...(cleanup === 'delete' ? { 'retention.ms': retentionMs } : {}),
          },
        },
      ]),
    );
    expect(
      channels
        .find((channel) => channel.id() === 'data')
        ?.parameters()
        .has('stream'),
    ).toBe(true);
  });

  it('has every event, sent by the service that publishes it, on the channel of its topic', async () => {
    const { document } = await parsed();
    const operations = document?.allOperations().filterBySend() ?? [];
    const sent = operations.flatMap((operation) => {
      const [channel] = operation.channels().all();
      const [service] = operation.id()?.split('.') ?? [];
      return operation
        .messages()
        .all()
        .map((message) => `${service} ${message.name()} ${channel?.address()}`);
    });
    for (const { type, topic, producer } of Object.values(events)) {
      const publisher = type === events.DefinitionChanged.type ? 'registry' : producer;
      expect(sent).toContain(`${publisher} ${type} ${topic.name}`);
    }
  });

  it('says who is told: training hears of drift through the retraining request', async () => {
    const { document } = await parsed();
    const operation = document?.allOperations().get('training.receive.monitoring');
    expect(
      operation
        ?.messages()
        .all()
        .map((message) => message.id()),
    ).toEqual(['RetrainingRequested']);
  });
});

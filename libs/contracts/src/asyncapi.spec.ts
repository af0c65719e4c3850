import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { events, topics, type TopicDefinition } from './catalogue';

const repository = resolve(__dirname, '../../..');
const text = readFileSync(join(repository, 'docs/asyncapi.yaml'), 'utf8');

interface Reference {
  readonly $ref: string;
}
interface Document {
  readonly channels: Readonly<
    Record<string, { address: string; parameters?: object; bindings: { kafka: object }; messages: object }>
  >;
  readonly operations: Readonly<Record<string, { action: string; channel: Reference; messages: Reference[] }>>;
  readonly components: { readonly messages: Readonly<Record<string, { name: string; payload: Reference }>> };
}
const document = parse(text) as Document;
const lastOf = ({ $ref }: Reference): string => $ref.split('/').at(-1) ?? '';

/** What AsyncAPI's parser finds wrong. */
async function faultsOf(content: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-asyncapi-'));
  try {
    const file = join(folder, 'asyncapi.yaml');
    writeFileSync(file, content);
    const script = join(repository, 'tools', 'check-asyncapi.mjs');
    const { stderr } = await promisify(execFile)(process.execPath, [script, file]).catch(
      (error: { stderr: string }) => error,
    );
    return stderr;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the AsyncAPI document', () => {
  it("is valid for AsyncAPI's own parser, without errors or warnings", async () => {
    expect(await faultsOf(text)).toBe('');
    expect(await faultsOf(text.replace('action: send', 'action: shout'))).toContain('"send", "receive"');
  });

  it('has a channel for every topic, with its address, partitions, clean-up and retention', () => {
    const described = Object.entries(document.channels).map(([key, { address, bindings }]) => [
      key,
      address,
      bindings.kafka,
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
          bindingVersion: '0.5.0',
        },
      ]),
    );
    expect(document.channels['data']?.parameters).toHaveProperty('stream');
  });

  it('has every event, sent by the service that publishes it, on the channel of its topic', () => {
    const sent = Object.entries(document.operations).flatMap(([id, { action, channel, messages }]) =>
      messages.map((message) => {
        const { name, payload } = document.components.messages[lastOf(message)] ?? {};
        expect(payload && lastOf(payload)).toBe(name);
        return `${id.split('.')[0]} ${action} ${name} ${document.channels[lastOf(channel)]?.address}`;
      }),
    );
    for (const { type, topic, producer } of Object.values(events)) {
      const publisher = type === events.DefinitionChanged.type ? 'registry' : producer;
      expect(sent).toContain(`${publisher} send ${type} ${topic.name}`);
    }
  });

  it('says who is told: training hears of drift through the retraining request', () => {
    expect(document.operations['training.receive.monitoring']?.messages.map(lastOf)).toEqual(['RetrainingRequested']);
  });
});

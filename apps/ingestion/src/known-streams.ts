import { setTimeout as delay } from 'node:timers/promises';
import { topicOf, topics } from '@headrace/contracts';
import type { DataStream } from '@headrace/definitions';
import { DefinitionReader, type Versioned } from '@headrace/definition-store';
import { ensureTopics, TOPIC_SUBSCRIPTIONS, type TopicSubscriptions } from '@headrace/messaging';
import { LOGGER, Readiness, SETTINGS, type Logger } from '@headrace/service-kit';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { compileStream, type StreamRules } from './domain/stream-rules';
import type { IngestionSettings } from './ingestion.config';

/** Consumer group that reads the upstream topics. */
export const RECORDS_GROUP = 'ingestion-records';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

export interface KnownStream {
  readonly definition: DataStream;
  readonly rules: StreamRules;
}

/** The streams whose topics exist and are read, in their newest definitions. */
@Injectable()
export class KnownStreams implements OnModuleInit {
  private readonly streams = new Map<string, KnownStream>();
  private opening = Promise.resolve();
  private fault: string | undefined;

  constructor(
    private readonly definitions: DefinitionReader,
    @Inject(TOPIC_SUBSCRIPTIONS) private readonly subscriptions: TopicSubscriptions,
    @Inject(SETTINGS) private readonly settings: IngestionSettings,
    @Inject(LOGGER) private readonly logger: Logger,
    readiness: Readiness,
  ) {
    readiness.register('streams', () => this.fault);
  }

  onModuleInit(): void {
    this.definitions.onChange('DataStream', (changed) => {
      this.opening = this.opening.then(() => this.open(changed));
    });
  }

  all(): KnownStream[] {
    return [...this.streams.values()];
  }

  get(name: string): KnownStream | undefined {
    return this.streams.get(name);
  }

  /** Streams do not share a topic: their definitions would have been refused. */
  ofTopic(topic: string): KnownStream | undefined {
    return this.all().find((stream) => stream.rules.topic === topic);
  }

  /** Tried until it succeeds, or until a newer content of the definition takes its turn. */
  private async open({ definition, version }: Versioned<'DataStream'>): Promise<void> {
    const { name } = definition.metadata;
    const isNewest = (): boolean => this.definitions.get('DataStream', name)?.version === version;
    for (let pauseMs = FIRST_PAUSE_MS; isNewest(); pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        await this.read(definition, version);
        this.fault = undefined;
        return;
      } catch (error) {
        this.fault = `DataStream/${name} cannot be read yet: ${(error as Error).message}`;
        this.logger.warn({ err: error, stream: name }, 'the stream cannot be read yet, trying again');
        await delay(pauseMs, undefined, { ref: false });
      }
    }
  }

  private async read(definition: DataStream, version: string): Promise<void> {
    const { name } = definition.metadata;
    const rules = compileStream(definition, version);
    if (!this.streams.has(name)) {
      const outputs = [topics.data, topics.quarantine].map((topic) => topicOf(topic, name));
      await ensureTopics(this.settings.KAFKA_BROKERS.split(','), outputs, this.logger);
    }
    this.streams.set(name, { definition, rules });
    this.subscriptions.setForeign(
      RECORDS_GROUP,
      this.all().map((stream) => stream.rules.topic),
    );
    this.logger.info({ stream: name, version, topic: rules.topic }, 'the stream is read');
  }
}

import { DefinitionReader } from '@headrace/definition-store';
import type { UpstreamWriter } from '@headrace/messaging';
import { LOGGER, REPLAY_SCHEMA, Repeating, type Logger } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { KeepLabelQueue } from '../use-cases/keep-label-queue';
import { PublishAnswers, UPSTREAM_WRITER } from '../use-cases/publish-answers';

const KEEP_MS = 5_000;
const PUBLISH_MS = 500;

/** Keeps the label queues, and publishes answers. */
@Injectable()
export class LabelsTimer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly repeating: readonly Repeating[];

  constructor(
    keepQueue: KeepLabelQueue,
    publishAnswers: PublishAnswers,
    private readonly definitions: DefinitionReader,
    @Inject(UPSTREAM_WRITER) private readonly writer: UpstreamWriter,
    @Inject(REPLAY_SCHEMA) private readonly replaySchema: string | null,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.repeating = [
      new Repeating(
        KEEP_MS,
        () => keepQueue.run(),
        (error) => logger.error({ err: error }, 'the label queues could not be kept, it is tried again'),
      ),
      new Repeating(
        PUBLISH_MS,
        () => publishAnswers.run(),
        (error) => logger.error({ err: error }, 'answers could not be published, it is tried again'),
      ),
    ];
  }

  onApplicationBootstrap(): void {
    if (this.replaySchema !== null) return;
    void this.definitions.ready.then(() => this.repeating.forEach((each) => each.start()));
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.repeating.map((each) => each.stop()));
    await this.writer.close();
  }
}

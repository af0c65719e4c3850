import { DefinitionReader } from '@headrace/definition-store';
import { LOGGER, type Logger, Repeating } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { AnswerReplays } from '../use-cases/answer-replays';

const INTERVAL_MS = 1_000;

/** Looks at the replays that gates wait for. */
@Injectable()
export class ReplaysTimer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly repeating: Repeating;

  constructor(
    answerReplays: AnswerReplays,
    private readonly definitions: DefinitionReader,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.repeating = new Repeating(
      INTERVAL_MS,
      (signal) => answerReplays.run(signal),
      (error) => logger.error({ err: error }, 'a round over the replays for gates failed, it is tried again'),
    );
  }

  onApplicationBootstrap(): void {
    void this.definitions.ready.then(() => this.repeating.start());
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.repeating.stop();
  }
}

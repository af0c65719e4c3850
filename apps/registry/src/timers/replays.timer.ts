import { DefinitionReader } from '@headrace/definition-store';
import { LOGGER, type Logger, Repeating } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { HeedReplay } from '../use-cases/heed-replay';

const INTERVAL_MS = 5_000;

/** Ends the waiting of gates whose replay nobody answered. Any number of instances may look: one lock, one decision. */
@Injectable()
export class ReplaysTimer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly repeating: Repeating;

  constructor(
    replays: HeedReplay,
    private readonly definitions: DefinitionReader,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.repeating = new Repeating(
      INTERVAL_MS,
      () => replays.endOverdue(),
      (error) => logger.error({ err: error }, 'a round over the gates that wait failed, it is tried again'),
    );
  }

  /** Not awaited: what is deployed needs the definitions, which may take until Kafka answers. */
  onApplicationBootstrap(): void {
    void this.definitions.ready.then(() => this.repeating.start());
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.repeating.stop();
  }
}

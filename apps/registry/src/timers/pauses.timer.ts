import { DefinitionReader } from '@headrace/definition-store';
import { LOGGER, type Logger, Repeating } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { EndPauses } from '../use-cases/end-pauses';

const INTERVAL_MS = 500;

/** Ends the pauses of rollouts that are over. Any number of instances may look: each decision is made under one lock. */
@Injectable()
export class PausesTimer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly repeating: Repeating;

  constructor(
    endPauses: EndPauses,
    private readonly definitions: DefinitionReader,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.repeating = new Repeating(
      INTERVAL_MS,
      () => endPauses.run(),
      (error) => logger.error({ err: error }, 'a round over the pauses of rollouts failed, it is tried again'),
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

import { DefinitionReader } from '@headrace/definition-store';
import { LOGGER, type Logger, Repeating } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { CheckRollouts } from '../use-cases/check-rollouts';

const INTERVAL_MS = 500;

/** Looks at the rollouts in progress. A timer of its own: a candidate that fails must not wait for windows to be closed. */
@Injectable()
export class RolloutsTimer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly repeating: Repeating;

  constructor(
    checkRollouts: CheckRollouts,
    private readonly definitions: DefinitionReader,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.repeating = new Repeating(
      INTERVAL_MS,
      () => checkRollouts.run(),
      (error) => logger.error({ err: error }, 'a round over the rollouts failed, it is tried again'),
    );
  }

  onApplicationBootstrap(): void {
    void this.definitions.ready.then(() => this.repeating.start());
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.repeating.stop();
  }
}

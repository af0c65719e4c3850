import { LOGGER, type Logger, Repeating } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { ForgetTheOld } from '../use-cases/forget-the-old';

const INTERVAL_MS = 60_000;

@Injectable()
export class RetentionTimer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly repeating: Repeating;

  constructor(forget: ForgetTheOld, @Inject(LOGGER) logger: Logger) {
    this.repeating = new Repeating(
      INTERVAL_MS,
      (signal) => forget.run(signal),
      (error) => logger.error({ err: error }, 'forgetting what is old failed, it is tried again'),
    );
  }

  onApplicationBootstrap(): void {
    this.repeating.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.repeating.stop();
  }
}

import { LOGGER, type Logger, Repeating } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { CommitDueVersions } from '../use-cases/commit-due-versions';

const INTERVAL_MS = 500;

@Injectable()
export class DatasetCommitsTimer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly repeating: Repeating;

  constructor(commitDue: CommitDueVersions, @Inject(LOGGER) logger: Logger) {
    this.repeating = new Repeating(
      INTERVAL_MS,
      () => commitDue.run(),
      (error) => logger.error({ err: error }, 'committing dataset versions failed, it is tried again'),
    );
  }

  onApplicationBootstrap(): void {
    this.repeating.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.repeating.stop();
  }
}

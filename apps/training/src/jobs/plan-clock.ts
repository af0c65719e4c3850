import { DefinitionReader } from '@headrace/definition-store';
import { UNIT_OF_WORK, type UnitOfWork } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { RunsRepository } from '../database/runs.repository';
import { AdvancePlan } from '../use-cases/advance-plan';
import { takeRunLock } from '../use-cases/run-lock';

const TICK_MS = 500;

/** Asks plans for their next step when no event does: when patience ends, and when a definition becomes known. */
@Injectable()
export class PlanClock implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private asking = Promise.resolve();
  private isTicking = false;

  constructor(
    private readonly definitions: DefinitionReader,
    private readonly runs: RunsRepository,
    private readonly advancePlan: AdvancePlan,
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    // Handlers decide by definitions: none may run before they are known.
    await this.definitions.ready;
    const askAll = (): void => this.ask(() => this.plans());
    this.definitions.onChange('TrainingPlan', ({ definition }) =>
      this.ask(() => Promise.resolve([definition.metadata.name])),
    );
    this.definitions.onChange('FeatureView', askAll);
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.asking;
  }

  private plans(): Promise<string[]> {
    return Promise.resolve(this.definitions.all('TrainingPlan').map((plan) => plan.definition.metadata.name));
  }

  private tick(): void {
    if (this.isTicking) return;
    this.isTicking = true;
    this.ask(() => this.runs.waitingPlans().finally(() => (this.isTicking = false)));
  }

  private ask(plans: () => Promise<string[]>): void {
    this.asking = this.asking
      .then(async () => {
        for (const plan of await plans()) {
          await this.work.run(async (transaction) => {
            await takeRunLock(transaction);
            await this.advancePlan.run(transaction, plan);
          });
        }
      })
      .catch((error: unknown) => this.logger.error({ err: error }, 'a plan could not be asked for its next step'));
  }
}

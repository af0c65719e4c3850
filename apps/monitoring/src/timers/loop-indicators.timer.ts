import { LOGGER, type Logger, REPLAY_SCHEMA, Repeating } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { changeFailureRatio, deploymentsPerDay, loopSeconds } from '../monitoring-metrics';
import { ReadLoop } from '../use-cases/read-loop';
import { WatchedMonitors } from '../watched-monitors';

const INTERVAL_MS = 5_000;

/** Shows how fast the loop of each monitored model turns. */
@Injectable()
export class LoopIndicatorsTimer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly repeating: Repeating;

  constructor(
    private readonly monitors: WatchedMonitors,
    private readonly readLoop: ReadLoop,
    @Inject(REPLAY_SCHEMA) private readonly replaySchema: string | null,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.repeating = new Repeating(
      INTERVAL_MS,
      () => this.show(),
      (error) => logger.warn({ err: error }, 'the indicators of the loops could not be read, they are tried again'),
    );
  }

  onApplicationBootstrap(): void {
    if (this.replaySchema === null) this.repeating.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.repeating.stop();
  }

  private async show(): Promise<void> {
    for (const model of new Set(this.monitors.all().map((monitor) => monitor.model))) {
      const loop = await this.readLoop.run(model);
      const times = {
        drift_to_detected: loop.driftToDetectedSeconds,
        detected_to_trained: loop.detectedToTrainedSeconds,
        detected_to_promoted: loop.detectedToPromotedSeconds,
        data_to_production: loop.dataToProductionSeconds,
      };
      for (const [step, seconds] of Object.entries(times)) {
        if (seconds !== undefined) loopSeconds.set({ model, step }, seconds);
      }
      deploymentsPerDay.set({ model }, loop.deploymentsPerDay);
      if (loop.changeFailureRatio !== undefined) changeFailureRatio.set({ model }, loop.changeFailureRatio);
    }
  }
}

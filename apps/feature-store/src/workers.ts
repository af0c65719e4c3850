import { exclusively, LOGGER, REPLAY_SCHEMA, Repeating, type Logger } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DefinitionReader } from '@headrace/definition-store';
import { deleteRecords } from './database/feature-records.repository';
import { readProgress } from './database/progress.repository';
import { servingVersions } from './database/view-versions.repository';
import { KnownViews } from './known-views';
import { FillViews } from './use-cases/fill-views';
import { MaterializeTrainingSet } from './use-cases/materialize-training-set';
import { ScoreDataset } from './use-cases/score-dataset';

const JOBS_PAUSE_MS = 100;
const FILL_PAUSE_MS = 250;
const PRUNE_PAUSE_MS = 5_000;
const PRUNE_ROWS = 20_000;

/** Work that no event carries to its end: training sets, scores, filling of views, pruning. One instance at a time does each. */
@Injectable()
export class Workers implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly loops: readonly Repeating[];

  constructor(
    @Inject(LOGGER) logger: Logger,
    @Inject(REPLAY_SCHEMA) private readonly replaySchema: string | null,
    private readonly source: DataSource,
    private readonly definitions: DefinitionReader,
    private readonly views: KnownViews,
    materialize: MaterializeTrainingSet,
    fillViews: FillViews,
    score: ScoreDataset,
  ) {
    const loop = (name: string, pauseMs: number, work: (signal: AbortSignal) => Promise<unknown>): Repeating =>
      new Repeating(
        pauseMs,
        async (signal) => void (await work(signal)),
        (error) => logger.error({ err: error, worker: name }, 'a worker failed, it tries again'),
      );
    this.loops = [
      loop('materialize', JOBS_PAUSE_MS, () =>
        exclusively(source, 'materialize', false, (queries) => materialize.next(queries)),
      ),
      loop('score', JOBS_PAUSE_MS, (signal) =>
        exclusively(source, 'score', false, (queries) => score.next(queries, signal)),
      ),
      loop('fill views', FILL_PAUSE_MS, () => exclusively(source, 'fill', false, () => fillViews.run())),
      loop('prune', PRUNE_PAUSE_MS, () => exclusively(source, 'prune', false, () => this.prune())),
    ];
  }

  onApplicationBootstrap(): void {
    if (this.replaySchema !== null) return;
    void this.definitions.ready.then(() => this.loops.forEach((loop) => loop.start()));
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }

  /** Records that no read within the retention can need: a read sees the watermark in the same snapshot. */
  async prune(): Promise<void> {
    const progress = await readProgress(this.source);
    for (const { id, view } of await this.views.ofIds(this.source, await servingVersions(this.source))) {
      const watermark = progress.get(view.stream)?.watermark;
      if (watermark === undefined || watermark === -Infinity) continue;
      const before = watermark - view.retentionMicros - view.longestWindowMicros;
      while (await deleteRecords(this.source, id, before, PRUNE_ROWS));
    }
  }
}

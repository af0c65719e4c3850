import { topics } from '@headrace/contracts';
import { LOG_READER, type LogReader } from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import { readMaxLabelTime, readPredictionPartitions, readWatermark } from '../database/progress.repository';
import type { Queries } from '../database/sql';
import { predictionProgress, type Progress, type Quiet } from '../domain/progress';
import { GROUP, type WatchedMonitor } from '../watched-monitors';

const QUIET: Quiet = { partitionMs: 300, endpointMs: 60_000 };
const END_OFFSETS_MS = 400;

/** How far event time has come for a monitor. */
@Injectable()
export class ReadProgress {
  private endOffsets: { readonly at: number; readonly offsets: Map<number, number> } | undefined;

  constructor(@Inject(LOG_READER) private readonly log: LogReader) {}

  async run(queries: Queries, monitor: WatchedMonitor): Promise<Progress> {
    // First the ends, then what was handled: a partition that reached an end that is old has nothing waiting behind it
    // for longer than the ends are kept.
    const ends = await this.ends();
    const partitions = await readPredictionPartitions(queries, GROUP, monitor.endpoint, ends);
    return {
      predictionMicros: predictionProgress(partitions, QUIET),
      labelWatermarkMicros: await readWatermark(queries, monitor.source.stream),
      maxLabelTimeMicros: await readMaxLabelTime(queries, monitor.source.id),
    };
  }

  private async ends(): Promise<ReadonlyMap<number, number>> {
    if (!this.endOffsets || performance.now() - this.endOffsets.at > END_OFFSETS_MS) {
      const offsets = await this.log.endOffsets(topics.predictions.name);
      this.endOffsets = { at: performance.now(), offsets };
    }
    return this.endOffsets.offsets;
  }
}

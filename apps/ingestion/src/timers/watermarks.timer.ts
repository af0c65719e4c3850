import { exclusively, type Logger, LOGGER, pause, Repeating } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Queries } from '../database/sql';
import { readAnnouncements, readProgressMarks } from '../database/watermarks.repository';
import { KnownStreams, RECORDS_GROUP } from '../known-streams';
import { AnnounceWatermark, QUIET_MS } from '../use-cases/announce-watermark';

const INTERVAL_MS = 50;
/** How soon another instance takes over. */
const ELECTION_MS = 1_000;

/** One instance announces; it leads as long as its connection holds the lock. */
@Injectable()
export class WatermarksTimer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly repeating: Repeating;

  constructor(
    private readonly source: DataSource,
    private readonly streams: KnownStreams,
    private readonly announce: AnnounceWatermark,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.repeating = new Repeating(
      ELECTION_MS,
      async (signal) => {
        await exclusively(this.source, 'watermarks', false, (queries) => this.lead(queries, signal));
      },
      (error) => logger.warn({ err: error }, 'announcing watermarks failed, it is tried again'),
    );
  }

  onApplicationBootstrap(): void {
    this.repeating.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.repeating.stop();
  }

  private async lead(queries: Queries, signal: AbortSignal): Promise<void> {
    // What was stored and perhaps not published before a crash.
    for (const announcement of await readAnnouncements(queries)) await this.announce.publish(announcement);
    const judged = new Map<string, string>();
    while (!signal.aborted) {
      const marks = await readProgressMarks(queries, RECORDS_GROUP, QUIET_MS);
      for (const { rules } of this.streams.all()) {
        const mark = marks.get(rules.stream);
        if (mark === undefined || mark === judged.get(rules.stream)) continue;
        await this.announce.run(rules);
        judged.set(rules.stream, mark);
      }
      await pause(INTERVAL_MS, signal);
    }
  }
}

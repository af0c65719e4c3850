import type { StreamCounts } from '@headrace/contracts/proto/ingestion/v1/ingestion_service';
import { LOG_READER, type LogReader } from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { readTotals } from '../database/stream-partitions.repository';
import { readPositions } from '../database/watermarks.repository';
import type { StreamRules } from '../domain/stream-rules';
import { RECORDS_GROUP } from '../known-streams';

@Injectable()
export class CountStreams {
  constructor(
    private readonly source: DataSource,
    @Inject(LOG_READER) private readonly log: LogReader,
  ) {}

  async run(streams: readonly StreamRules[]): Promise<StreamCounts[]> {
    const totals = await readTotals(this.source);
    return Promise.all(
      streams.map(async ({ stream, topic }) => {
        const { accepted = 0, rejected = 0, duplicates = 0, rejectedByCode = {} } = totals.get(stream) ?? {};
        const lag = await this.lagOf(topic);
        return { stream, accepted, rejected, duplicates, lag, rejectedByCode: { ...rejectedByCode } };
      }),
    );
  }

  private async lagOf(topic: string): Promise<number> {
    const ends = await this.log.endOffsets(topic);
    const positions = await readPositions(this.source, RECORDS_GROUP, topic);
    return [...ends].reduce((lag, [partition, end]) => lag + Math.max(0, end - (positions.get(partition) ?? 0)), 0);
  }
}

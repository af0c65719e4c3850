import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArtifactStore } from '@headrace/artifacts';
import { events, topicOf, topics } from '@headrace/contracts';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { LOG_READER, type LogEvent, type LogReader } from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import { splitRanges, type Column, type DatasetFile, type OffsetRanges, type RepeatFilter } from '../domain/dataset';
import { ParquetFile, type DatasetRow } from '../parquet-file';

/** Rows of one file at most. */
const MAX_FILE_ROWS = 500_000;

export interface WrittenFiles {
  readonly files: readonly DatasetFile[];
  /** The added records that were known first and last. */
  readonly first: LogEvent;
  readonly last: LogEvent;
}

/** Reads ranges of data.<stream>.v1 and puts their records into the artifact store as Parquet. */
@Injectable()
export class WriteDatasetFiles {
  constructor(
    @Inject(LOG_READER) private readonly log: LogReader,
    private readonly artifacts: ArtifactStore,
  ) {}

  /** Undefined when the ranges hold no new record (only repeats and markers). Moves the filter on. */
  async run(
    stream: string,
    schema: readonly Column[],
    ranges: OffsetRanges,
    repeats: RepeatFilter,
  ): Promise<WrittenFiles | undefined> {
    const directory = await mkdtemp(join(tmpdir(), 'headrace-dataset-'));
    try {
      const files: DatasetFile[] = [];
      const extremes = new Extremes();
      for (const part of splitRanges(ranges, MAX_FILE_ROWS)) {
        const file = await this.writeOne(stream, schema, part, repeats, extremes, directory);
        if (file) files.push(file);
      }
      const { first, last } = extremes;
      return first && last && { files, first, last };
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  private async writeOne(
    stream: string,
    schema: readonly Column[],
    ranges: OffsetRanges,
    repeats: RepeatFilter,
    extremes: Extremes,
    directory: string,
  ): Promise<DatasetFile | undefined> {
    const parquet = await ParquetFile.open(schema, directory);
    try {
      const totals = { rows: 0, min_event_time: Infinity, max_event_time: -Infinity, max_known_time: -Infinity };
      await this.log.readRange(topicOf(topics.data, stream), ranges, (batch) => {
        const rows: DatasetRow[] = [];
        for (const event of batch) {
          if (event.type !== events.DataArrived.type) continue;
          if (!repeats.isNew(event.partition, event.producer.shard, event.producer.sequence)) continue;
          const row = rowOf(event);
          rows.push(row);
          extremes.take(event, row.knownTimeMicros);
          totals.rows += 1;
          totals.min_event_time = Math.min(totals.min_event_time, row.eventTimeMicros);
          totals.max_event_time = Math.max(totals.max_event_time, row.eventTimeMicros);
          totals.max_known_time = Math.max(totals.max_known_time, row.knownTimeMicros);
        }
        parquet.add(rows);
      });
      if (totals.rows === 0) return undefined;
      const path = join(directory, 'part.parquet');
      await parquet.write(path);
      const { digest } = await this.artifacts.putFile(path, `${stream}.parquet`);
      return { digest, ...totals, offsets: Object.fromEntries(ranges) };
    } finally {
      parquet.close();
    }
  }
}

function rowOf(event: LogEvent): DatasetRow {
  const data = event.data as DataArrived;
  return {
    key: data.recordKey,
    eventTimeMicros: data.eventTimeMicros,
    knownTimeMicros: data.knownTimeMicros,
    partition: event.partition,
    offset: event.offset,
    eventId: event.eventId,
    fields: data.fields,
  };
}

/** First and last by known time, then by place in the log: the same for the same records in any order of reading. */
class Extremes {
  first: LogEvent | undefined;
  last: LogEvent | undefined;
  private firstKnown = Infinity;
  private lastKnown = -Infinity;

  take(event: LogEvent, knownMicros: number): void {
    if (!this.first || before(knownMicros, event, this.firstKnown, this.first)) {
      this.first = event;
      this.firstKnown = knownMicros;
    }
    if (!this.last || before(this.lastKnown, this.last, knownMicros, event)) {
      this.last = event;
      this.lastKnown = knownMicros;
    }
  }
}

function before(knownA: number, a: LogEvent, knownB: number, b: LogEvent): boolean {
  return knownA - knownB < 0 || (knownA === knownB && (a.partition - b.partition || a.offset - b.offset) < 0);
}

import { exclusively } from '@headrace/service-kit';
import type { DatasetVersionCommitted } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DatasetVersionRow } from './dataset-version.table';

@Injectable()
export class DatasetVersions {
  constructor(private readonly source: DataSource) {}

  async latest(stream: string): Promise<DatasetVersionRow | undefined> {
    const [row] = await this.source
      .getRepository(DatasetVersionRow)
      .find({ where: { stream }, order: { version: 'DESC' }, take: 1 });
    return row;
  }

  /** Empty name: of all streams. In order of stream and version. */
  list(stream: string): Promise<DatasetVersionRow[]> {
    const order = { stream: 'ASC', version: 'ASC' } as const;
    return this.source.getRepository(DatasetVersionRow).find({ where: stream === '' ? {} : { stream }, order });
  }

  /** Rows in the newest version of each stream. */
  async rowsByStream(): Promise<Map<string, number>> {
    const rows: { stream: string; rows: string }[] = await this.source.query(
      'SELECT stream, max(rows) AS rows FROM dataset_versions GROUP BY stream',
    );
    return new Map(rows.map((row) => [row.stream, Number(row.rows)]));
  }

  /** See `exclusively`: one committer for each stream. */
  exclusively<R>(stream: string, wait: boolean, work: () => Promise<R>): Promise<R | undefined> {
    return exclusively(this.source, `dataset.${stream}`, wait, work);
  }
}

export function messageOf(row: DatasetVersionRow): DatasetVersionCommitted {
  return {
    dataset: { stream: row.stream, version: Number(row.version), manifestDigest: row.manifestDigest },
    rows: Number(row.rows),
    addedRows: Number(row.addedRows),
    minEventTimeMicros: Number(row.minEventMicros),
    maxEventTimeMicros: Number(row.maxEventMicros),
    maxKnownTimeMicros: Number(row.maxKnownMicros),
    firstRecord: row.firstRecord,
    lastRecord: row.lastRecord,
  };
}

import { ArtifactStore } from '@headrace/artifacts';
import { events, topicOf, topics } from '@headrace/contracts';
import type { EventRef } from '@headrace/contracts/proto/common/v1/common';
import type { DataStream } from '@headrace/definitions';
import {
  LOG_READER,
  UNIT_OF_WORK,
  type Cause,
  type LogEvent,
  type LogReader,
  type UnitOfWork,
} from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { DatasetVersionRow } from '../database/dataset-version.table';
import { DatasetVersions, messageOf } from '../database/dataset-versions.repository';
import { columnsOf, manifestBytes, manifestOf, newRanges, parseManifest, RepeatFilter } from '../domain/dataset';
import { datasetCommitSeconds, datasetVersion } from '../metrics';
import { WriteDatasetFiles, type WrittenFiles } from './write-dataset-files';

export type CommitResult =
  | { readonly kind: 'committed'; readonly version: DatasetVersionRow }
  | { readonly kind: 'nothing-new'; readonly latest: DatasetVersionRow | undefined }
  /** Another instance commits this stream at the moment. */
  | { readonly kind: 'busy' };

/**
 * Makes a dataset version of everything that data.<stream>.v1 holds beyond the last one. One at a time in a process (a
 * file needs memory), one at a time for a stream over all instances; should that lock be lost, the key of the version's
 * row lets one of the two win, and the other's file is nobody's.
 */
@Injectable()
export class CommitDatasetVersion {
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    @Inject(LOG_READER) private readonly log: LogReader,
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly artifacts: ArtifactStore,
    private readonly versions: DatasetVersions,
    private readonly writeFiles: WriteDatasetFiles,
  ) {}

  run(definition: DataStream, options: { readonly wait: boolean }): Promise<CommitResult> {
    const stream = definition.metadata.name;
    const result = this.queue.then(() =>
      this.versions.exclusively(stream, options.wait, () => this.commit(stream, definition)),
    );
    this.queue = result.catch(() => undefined);
    return result.then((done) => done ?? { kind: 'busy' });
  }

  private async commit(stream: string, definition: DataStream): Promise<CommitResult> {
    const stopTimer = datasetCommitSeconds.startTimer({ stream });
    const latest = await this.versions.latest(stream);
    const committed = new Map(Object.entries(latest?.endOffsets ?? {}).map(([at, offset]) => [Number(at), offset]));
    const ends = await this.log.endOffsets(topicOf(topics.data, stream));
    const ranges = newRanges(committed, ends);
    if (ranges.size === 0) return { kind: 'nothing-new', latest };
    const schema = columnsOf(definition);
    const repeats = new RepeatFilter(latest?.lastSequences ?? {});
    const written = await this.writeFiles.run(stream, schema, ranges, repeats);
    if (!written) return { kind: 'nothing-new', latest };

    const parent = latest && {
      digest: latest.manifestDigest,
      manifest: parseManifest(await this.artifacts.read(latest.manifestDigest)),
    };
    const manifest = manifestOf(stream, schema, parent, written.files);
    const { digest } = await this.artifacts.putBytes(manifestBytes(manifest), `${stream}-${manifest.version}.json`);
    const { files } = manifest;
    const row = Object.assign(new DatasetVersionRow(), {
      stream,
      version: String(manifest.version),
      manifestDigest: digest,
      rows: String(manifest.rows),
      addedRows: String(written.files.reduce((sum, file) => sum + file.rows, 0)),
      minEventMicros: String(Math.min(...files.map((file) => file.min_event_time))),
      maxEventMicros: String(Math.max(...files.map((file) => file.max_event_time))),
      maxKnownMicros: String(Math.max(...files.map((file) => file.max_known_time))),
      firstRecord: refOf(written.first),
      lastRecord: refOf(written.last),
      endOffsets: Object.fromEntries([...committed, ...ends]),
      lastSequences: repeats.state,
      schema,
    });
    await this.store(row, written);
    datasetVersion.set({ stream }, manifest.version);
    const seconds = stopTimer();
    this.logger.info(
      { stream, version: manifest.version, addedRows: row.addedRows, seconds },
      'dataset version committed',
    );
    return { kind: 'committed', version: row };
  }

  private async store(row: DatasetVersionRow, written: WrittenFiles): Promise<void> {
    await this.work.run(async (transaction) => {
      await transaction.manager.insert(DatasetVersionRow, row);
      transaction.publish(events.DatasetVersionCommitted, messageOf(row), { cause: causeOf(written.last) });
    });
  }
}

function causeOf({ eventId, correlationId, traceparent }: LogEvent): Cause {
  return { eventId, correlationId, ...(traceparent === undefined ? {} : { traceparent }) };
}

function refOf(event: LogEvent): EventRef {
  return {
    id: event.eventId,
    type: event.type,
    topic: event.topic,
    partition: event.partition,
    offset: event.offset,
    timeMicros: event.timeMicros,
    causationId: event.causationId,
  };
}

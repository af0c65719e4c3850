import { DomainError } from '@headrace/contracts';
import type {
  CommitDatasetVersionRequest,
  CommitDatasetVersionResponse,
  GetStreamCountsRequest,
  GetStreamCountsResponse,
  IngestionServiceServer,
  ListDatasetVersionsRequest,
  ListDatasetVersionsResponse,
} from '@headrace/contracts/proto/ingestion/v1/ingestion_service';
import type { UnaryMethods } from '@headrace/grpc';
import { Injectable } from '@nestjs/common';
import { DatasetVersions, messageOf } from '../database/dataset-versions.repository';
import { KnownStreams, type KnownStream } from '../known-streams';
import { CommitDatasetVersion } from '../use-cases/commit-dataset-version';
import { CountStreams } from '../use-cases/count-streams';

@Injectable()
export class IngestionGrpc implements UnaryMethods<IngestionServiceServer> {
  constructor(
    private readonly streams: KnownStreams,
    private readonly versions: DatasetVersions,
    private readonly commitVersion: CommitDatasetVersion,
    private readonly countStreams: CountStreams,
  ) {}

  async commitDatasetVersion({ stream }: CommitDatasetVersionRequest): Promise<CommitDatasetVersionResponse> {
    const result = await this.commitVersion.run(this.streamOf(stream).definition, { wait: true });
    if (result.kind === 'busy')
      throw new DomainError('unavailable', 'commit_busy', `stream: "${stream}" is being committed`);
    const row = result.kind === 'committed' ? result.version : result.latest;
    const committed = result.kind === 'committed';
    if (!row) return { dataset: undefined, rows: 0, committed };
    return { dataset: messageOf(row).dataset, rows: Number(row.rows), committed };
  }

  async listDatasetVersions({ stream }: ListDatasetVersionsRequest): Promise<ListDatasetVersionsResponse> {
    if (stream !== '') this.streamOf(stream);
    return { versions: (await this.versions.list(stream)).map(messageOf) };
  }

  async getStreamCounts({ stream }: GetStreamCountsRequest): Promise<GetStreamCountsResponse> {
    const wanted = stream === '' ? this.streams.all() : [this.streamOf(stream)];
    return { streams: await this.countStreams.run(wanted.map((one) => one.rules)) };
  }

  private streamOf(name: string): KnownStream {
    const stream = this.streams.get(name);
    if (stream) return stream;
    const names = this.streams.all().map((one) => one.rules.stream);
    throw new DomainError(
      'not-found',
      'unknown_stream',
      `stream: "${name}" is not known here; known are: ${names.join(', ') || 'none'}`,
    );
  }
}

import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { readCommitRequests, removeCommitRequests } from '../database/commit-requests.repository';
import { DatasetVersions } from '../database/dataset-versions.repository';
import { readTotals } from '../database/stream-partitions.repository';
import { KnownStreams } from '../known-streams';
import { CommitDatasetVersion } from './commit-dataset-version';

/** Commits the streams that have enough new rows, or any when newest data is asked for (RetrainingRequested). */
@Injectable()
export class CommitDueVersions {
  constructor(
    private readonly source: DataSource,
    private readonly streams: KnownStreams,
    private readonly versions: DatasetVersions,
    private readonly commitVersion: CommitDatasetVersion,
  ) {}

  async run(): Promise<void> {
    const requests = await readCommitRequests(this.source);
    const totals = await readTotals(this.source);
    const committed = await this.versions.rowsByStream();
    let isBusy = false;
    for (const { definition, rules } of this.streams.all()) {
      // Counted rows only: reading the log has a price, and most of what is new there are markers.
      const fresh = (totals.get(rules.stream)?.accepted ?? 0) - (committed.get(rules.stream) ?? 0);
      if (fresh < (requests.length > 0 ? 1 : definition.spec.dataset.commitEveryRows)) continue;
      const result = await this.commitVersion.run(definition, { wait: false });
      isBusy ||= result.kind === 'busy';
    }
    if (requests.length > 0 && !isBusy) await removeCommitRequests(this.source, requests);
  }
}

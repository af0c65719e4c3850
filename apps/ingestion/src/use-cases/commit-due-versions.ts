import { parseDuration } from '@headrace/event-time';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { readCommitRequests, removeCommitRequests } from '../database/commit-requests.repository';
import { DatasetVersions } from '../database/dataset-versions.repository';
import { readTotals } from '../database/stream-partitions.repository';
import { KnownStreams } from '../known-streams';
import { CommitDatasetVersion } from './commit-dataset-version';

/**
 * Commits the streams that have enough new rows, or some and have fallen quiet, or any when the newest data is asked for
 * (RetrainingRequested).
 */
@Injectable()
export class CommitDueVersions {
  /** Accepted rows of each stream and since when there are no more. Only for the quiet rule: a restart begins anew. */
  private readonly lastSeen = new Map<string, { readonly accepted: number; readonly sinceMs: number }>();

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
      const accepted = totals.get(rules.stream)?.accepted ?? 0;
      const fresh = accepted - (committed.get(rules.stream) ?? 0);
      const { commitEveryRows, commitWhenQuiet } = definition.spec.dataset;
      const isQuiet = this.quietMs(rules.stream, accepted) * 1_000 >= parseDuration(commitWhenQuiet);
      if (fresh < (requests.length > 0 || isQuiet ? 1 : commitEveryRows)) continue;
      const result = await this.commitVersion.run(definition, { wait: false });
      isBusy ||= result.kind === 'busy';
    }
    if (requests.length > 0 && !isBusy) await removeCommitRequests(this.source, requests);
  }

  private quietMs(stream: string, accepted: number): number {
    const now = Date.now();
    const last = this.lastSeen.get(stream);
    if (last?.accepted === accepted) return now - last.sinceMs;
    this.lastSeen.set(stream, { accepted, sinceMs: now });
    return 0;
  }
}

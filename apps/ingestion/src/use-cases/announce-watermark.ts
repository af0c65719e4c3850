import { topicOf, topics } from '@headrace/contracts';
import {
  BULK_PUBLISHER,
  LOG_READER,
  UNIT_OF_WORK,
  type BulkPublisher,
  type LogReader,
  type Transaction,
  type UnitOfWork,
} from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import {
  lockAnnouncement,
  lockQuietPartitions,
  readPositions,
  readProgress,
  saveAnnouncement,
  type Announcement,
} from '../database/watermarks.repository';
import { liftedMicros, nextWatermark, type UpstreamPartition } from '../domain/announcement';
import type { StreamRules } from '../domain/stream-rules';
import { RECORDS_GROUP } from '../known-streams';
import { watermarkMessages } from '../events-out/watermarks';
import { watermarkSeconds } from '../metrics';

/** A partition is idle when everything in it is handled and nothing came for this long. */
export const QUIET_MS = 300;
const MAX_AGE_OF_ENDS_MS = 1_000;

/**
 * Says in every partition of data.<stream>.v1 up to which known time the stream is complete. Records are published
 * before the transaction that accepts them commits; a watermark rests on committed rows only, and is published after
 * them, so whatever has a known time up to it stands before its marker.
 */
@Injectable()
export class AnnounceWatermark {
  private readonly upstreamEnds = new Map<
    string,
    { readonly ends: ReadonlyMap<number, number>; readonly readAt: number }
  >();
  private readonly dataPartitions = new Map<string, readonly number[]>();

  constructor(
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    @Inject(LOG_READER) private readonly log: LogReader,
    @Inject(BULK_PUBLISHER) private readonly publisher: BulkPublisher,
  ) {}

  /** Stores the next watermark, when it advances, and publishes it. */
  async run(rules: StreamRules): Promise<void> {
    const announcement = await this.work.run((transaction) => this.advance(rules, transaction));
    if (announcement) await this.publish(announcement);
  }

  /** Publishing one again does no harm: consumers know its sequence. */
  async publish(announcement: Announcement): Promise<void> {
    const partitions = await this.partitionsOf(announcement.stream);
    await this.publisher.publish(watermarkMessages(announcement, partitions));
    watermarkSeconds.set({ stream: announcement.stream }, announcement.watermarkMicros / 1e6);
  }

  private async advance(rules: StreamRules, transaction: Transaction): Promise<Announcement | undefined> {
    const { stream, topic } = rules;
    const { announcedMicros, announcements } = await lockAnnouncement(transaction, stream);
    const quiet = await lockQuietPartitions(transaction, stream, topic, QUIET_MS);
    const partitions = await this.judgePartitions(rules, quiet, transaction);
    const watermarkMicros = nextWatermark(partitions, announcedMicros);
    if (watermarkMicros === undefined) return undefined;
    const announcement = { stream, watermarkMicros, sequence: announcements + 1 };
    const idle = partitions.flatMap((one) => (one.isIdle ? [one.partition] : []));
    await saveAnnouncement(transaction, announcement, topic, idle, liftedMicros(watermarkMicros));
    return announcement;
  }

  private async judgePartitions(
    rules: StreamRules,
    quiet: readonly number[],
    transaction: Transaction,
  ): Promise<UpstreamPartition[]> {
    const { stream, topic } = rules;
    const progress = new Map(
      (await readProgress(transaction, stream, topic)).map((row) => [row.partition, row.lastKnownMicros]),
    );
    // Read after the quiet rows are locked: a record that a dead transaction had taken is seen as not handled.
    const ends = await this.endsOf(topic, quiet.length > 0 ? undefined : progress);
    const positions = await readPositions(transaction, RECORDS_GROUP, topic);
    return [...new Set([...ends.keys(), ...progress.keys()])].map((partition) => {
      const end = ends.get(partition);
      // A partition without a row makes one above the announced watermark when its first record comes.
      const isQuiet = quiet.includes(partition) || !progress.has(partition);
      return {
        partition,
        lastKnownMicros: progress.get(partition),
        isIdle: isQuiet && end !== undefined && end === (positions.get(partition) ?? 0),
      };
    });
  }

  /** Where every partition is at work, the ends only say which partitions there are. */
  private async endsOf(
    topic: string,
    atWork: ReadonlyMap<number, unknown> | undefined,
  ): Promise<ReadonlyMap<number, number>> {
    const cached = this.upstreamEnds.get(topic);
    const isFresh = cached !== undefined && performance.now() - cached.readAt < MAX_AGE_OF_ENDS_MS;
    if (isFresh && atWork && [...cached.ends.keys()].every((partition) => atWork.has(partition))) return cached.ends;
    const ends = await this.log.endOffsets(topic);
    this.upstreamEnds.set(topic, { ends, readAt: performance.now() });
    return ends;
  }

  private async partitionsOf(stream: string): Promise<readonly number[]> {
    const known = this.dataPartitions.get(stream);
    if (known && known.length > 0) return known;
    const partitions = [...(await this.log.endOffsets(topicOf(topics.data, stream))).keys()];
    this.dataPartitions.set(stream, partitions);
    return partitions;
  }
}

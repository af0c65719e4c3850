import { parseDuration } from '@headrace/event-time';
import { UNIT_OF_WORK, type UnitOfWork } from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import { readDeployment } from '../database/deployments.repository';
import { addItems, countItems, forgetItems, readCandidates } from '../database/label-items.repository';
import { choosePredictions, LABEL_REASONS } from '../domain/label-choice';
import { labelQueueItems } from '../monitoring-metrics';
import { WatchedMonitors, type WatchedMonitor } from '../watched-monitors';
import { ReferenceProfiles } from './reference-profiles';

/** Fills the label queue of each monitor that declares one, and lets go what need not be asked any more. */
@Injectable()
export class KeepLabelQueue {
  constructor(
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    private readonly monitors: WatchedMonitors,
    private readonly profiles: ReferenceProfiles,
  ) {}

  async run(): Promise<void> {
    for (const monitor of this.monitors.all()) {
      const { labelling } = monitor.spec;
      if (!labelling) continue;
      await this.keep(monitor, labelling);
      await this.tell(monitor.name);
    }
  }

  private async tell(monitor: string): Promise<void> {
    const counts = await this.work.run((transaction) => countItems(transaction, monitor));
    for (const reason of LABEL_REASONS) {
      const { open = 0, taken = 0 } = counts.find((count) => count.reason === reason) ?? {};
      labelQueueItems.set({ monitor, reason, state: 'open' }, open);
      labelQueueItems.set({ monitor, reason, state: 'taken' }, taken);
    }
  }

  private async keep(
    monitor: WatchedMonitor,
    labelling: NonNullable<WatchedMonitor['spec']['labelling']>,
  ): Promise<void> {
    const { name, endpoint, source } = monitor;
    const within = parseDuration(labelling.within);
    const most = Math.floor(labelling.queue / LABEL_REASONS.length);
    await this.work.run(async (transaction) => {
      // One instance at a time; another one has nothing to add meanwhile.
      const [lock] = await transaction.query<{ locked: boolean }>(
        `SELECT pg_try_advisory_xact_lock(hashtext(current_schema() || '/label-queue'), hashtext($1)) AS locked`,
        [name],
      );
      if (lock?.locked !== true) return;
      const { newestMicros, rows } = await readCandidates(transaction, { endpoint, source: source.id }, within);
      if (newestMicros === undefined) return;
      await forgetItems(transaction, name, source.id, newestMicros - within);
      const digest = (await readDeployment(transaction, endpoint))?.profileDigest;
      // Without the champion's profile nothing is called drifted.
      const profile = digest === undefined ? undefined : await this.profiles.load(digest).catch(() => undefined);
      await addItems(transaction, name, choosePredictions(rows, source.task, profile?.features, most), most);
    });
  }
}

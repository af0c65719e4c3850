import { nowMicros } from '@headrace/event-time';
import { LOGGER, pause, Repeating, type Logger } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { readProgress, type StreamProgress } from '../database/progress.repository';
import { servingVersions } from '../database/view-versions.repository';
import { watermarkSeconds } from '../feature-store-metrics';
import { KnownViews, type KeptView } from '../known-views';

/** While somebody waits or asks for now; the table is the meeting point of all instances. */
const BUSY_POLL_MS = 20;
const IDLE_POLL_MS = 100;
/** Whoever asks for "now" gets what a look no older than this has found. */
const RECENT_MS = 30;
/** So long after the last question for "now" the next one is expected. */
const NOW_ASKED_MS = 1_000;
/** Which contents serve changes seldom. */
const SERVING_MS = 100;

interface Waiter {
  readonly streams: readonly string[];
  readonly untilMicros: number;
  readonly resolve: () => void;
}

interface Looker {
  readonly resolve: (atMicros: number) => void;
  readonly reject: (error: unknown) => void;
}

/** Takes in what stands behind a new progress before anybody is told of it. */
export type Follower = (progress: ReadonlyMap<string, StreamProgress>) => Promise<void>;

/** How far each stream has been read, as all instances together know it, and waiting for it. */
@Injectable()
export class Watermarks implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private progress: ReadonlyMap<string, StreamProgress> = new Map();
  private serving: ReadonlyMap<string, KeptView> = new Map();
  private servingReadAt = -Infinity;
  private readonly waiters = new Set<Waiter>();
  private lookers: Looker[] = [];
  private readonly followers: Follower[] = [];
  /** When the last look began, by the clock and by performance.now(). */
  private seenAtMicros = 0;
  private seenAtMs = -Infinity;
  private nowAskedMs = -Infinity;
  private wake = new AbortController();
  /** In the longer pause of quiet times: who comes now ends it, while in busy times hundreds come between two looks. */
  private resting = false;
  private readonly polling = new Repeating(
    0,
    async (signal) => {
      await this.refresh().catch((error: unknown) => {
        this.logger.warn({ err: error }, 'watermarks could not be read');
        this.settleLookers(({ reject }) => reject(error));
      });
      const busy = this.waiters.size > 0 || performance.now() - this.nowAskedMs < NOW_ASKED_MS;
      this.wake = new AbortController();
      this.resting = !busy;
      await pause(busy ? BUSY_POLL_MS : IDLE_POLL_MS, AbortSignal.any([signal, this.wake.signal]));
      this.resting = false;
    },
    (error) => this.logger.error({ err: error }, 'watermarks are not read in their turn'),
  );

  constructor(
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly source: DataSource,
    private readonly views: KnownViews,
  ) {}

  onApplicationBootstrap(): void {
    this.polling.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.polling.stop();
    this.settleLookers(({ reject }) => reject(new Error('the feature store is being shut down')));
  }

  follow(follower: Follower): void {
    this.followers.push(follower);
  }

  /**
   * A moment that is over, and of which everything that the database held is known here, microseconds: when the last look began, at
   * most RECENT_MS ago, or the one that is under way.
   */
  recent(): number | Promise<number> {
    const nowMs = performance.now();
    this.nowAskedMs = nowMs;
    if (nowMs - this.seenAtMs <= RECENT_MS) return this.seenAtMicros;
    return new Promise((resolve, reject) => {
      this.lookers.push({ resolve, reject });
      this.wake.abort();
    });
  }

  /** Lowest watermark among streams; −Infinity while one has none. */
  of(streams: readonly string[]): number {
    return Math.min(...streams.map((stream) => this.progress.get(stream)?.watermark ?? -Infinity));
  }

  progressOf(stream: string): StreamProgress | undefined {
    return this.progress.get(stream);
  }

  /** The content of a view that can be read: the newest with all its records. Undefined while its first is being filled. */
  servingVersion(name: string): KeptView | undefined {
    return this.serving.get(name);
  }

  /** Resolves true when the watermark of every stream has reached the moment, false when the time is over. */
  async reached(streams: readonly string[], untilMicros: number, maxWaitMs: number): Promise<boolean> {
    if (streams.length === 0 || this.of(streams) >= untilMicros) return true;
    if (maxWaitMs <= 0) return false;
    return new Promise<boolean>((resolve) => {
      const waiter: Waiter = {
        streams,
        untilMicros,
        resolve: () => {
          clearTimeout(timer);
          this.waiters.delete(waiter);
          resolve(true);
        },
      };
      const timer = setTimeout(() => {
        this.waiters.delete(waiter);
        resolve(false);
      }, maxWaitMs);
      this.waiters.add(waiter);
      if (this.resting) this.wake.abort();
    });
  }

  private async refresh(): Promise<void> {
    if (performance.now() - this.servingReadAt >= SERVING_MS) {
      const kept = await this.views.ofIds(this.source, await servingVersions(this.source));
      this.serving = new Map(kept.map((version) => [version.view.name, version]));
      this.servingReadAt = performance.now();
    }
    const [atMicros, atMs] = [nowMicros(), performance.now()];
    const progress = await readProgress(this.source);
    for (const follower of this.followers) await follower(progress);
    this.progress = progress;
    this.seenAtMicros = atMicros;
    this.seenAtMs = atMs;
    for (const [stream, { watermark }] of progress)
      if (Number.isFinite(watermark)) watermarkSeconds.set({ stream }, watermark / 1e6);
    for (const waiter of [...this.waiters]) if (this.of(waiter.streams) >= waiter.untilMicros) waiter.resolve();
    this.settleLookers(({ resolve }) => resolve(atMicros));
  }

  private settleLookers(settle: (looker: Looker) => void): void {
    const lookers = this.lookers;
    this.lookers = [];
    lookers.forEach(settle);
  }
}

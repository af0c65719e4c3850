import { LOGGER, pause, Repeating, type Logger } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { readProgress, type StreamProgress } from '../database/progress.repository';
import { servingVersions } from '../database/view-versions.repository';
import { watermarkSeconds } from '../feature-store-metrics';
import { KnownViews, type KeptView } from '../known-views';

/** While somebody waits; the table is the meeting point of all instances. */
const BUSY_POLL_MS = 20;
const IDLE_POLL_MS = 100;
/** Which contents serve changes seldom. */
const SERVING_MS = 100;

interface Waiter {
  readonly streams: readonly string[];
  readonly untilMicros: number;
  readonly resolve: () => void;
}

/** How far each stream has been read, as all instances together know it, and waiting for it. */
@Injectable()
export class Watermarks implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private progress: ReadonlyMap<string, StreamProgress> = new Map();
  private serving: ReadonlyMap<string, KeptView> = new Map();
  private servingReadAt = -Infinity;
  private readonly waiters = new Set<Waiter>();
  private wake = new AbortController();
  private readonly polling = new Repeating(
    0,
    async (signal) => {
      await this.refresh();
      const idle = this.waiters.size === 0;
      this.wake = new AbortController();
      await pause(idle ? IDLE_POLL_MS : BUSY_POLL_MS, AbortSignal.any([signal, this.wake.signal]));
    },
    (error) => this.logger.warn({ err: error }, 'watermarks could not be read'),
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
  }

  /** Lowest watermark among streams; −Infinity while one has none. */
  of(streams: readonly string[]): number {
    return Math.min(...streams.map((stream) => this.progress.get(stream)?.watermark ?? -Infinity));
  }

  /** How often records of a stream came behind its watermark. */
  correctionsOf(stream: string): number {
    return this.progress.get(stream)?.corrections ?? 0;
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
      this.wake.abort();
    });
  }

  private async refresh(): Promise<void> {
    if (performance.now() - this.servingReadAt >= SERVING_MS) {
      const kept = await this.views.ofIds(this.source, await servingVersions(this.source));
      this.serving = new Map(kept.map((version) => [version.view.name, version]));
      this.servingReadAt = performance.now();
    }
    const progress = await readProgress(this.source);
    this.progress = progress;
    for (const [stream, { watermark }] of progress) watermarkSeconds.set({ stream }, watermark / 1e6);
    for (const waiter of [...this.waiters]) if (this.of(waiter.streams) >= waiter.untilMicros) waiter.resolve();
  }
}

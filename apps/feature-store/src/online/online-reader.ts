// Records of asked entities, in memory. An entity is read from the database once; from then on it is kept current with what
// each partition brings. See docs/adr/0013-records-in-memory.md.
import { schemaOf, SERVICE_NAME, SETTINGS } from '@headrace/service-kit';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Pool } from 'pg';
import type { StreamProgress } from '../database/progress.repository';
import type { CompiledView } from '../domain/feature-view';
import type { FeatureStoreSettings } from '../feature-store.config';
import { cachedRecords } from '../feature-store-metrics';
import { loadEntities, readTail } from './entity-records';
import { KeptEntity, RecordCache } from './record-cache';
import { Watermarks } from './watermarks';

export interface Found {
  readonly entity: KeptEntity;
  /** Of the view's stream: what the retention has passed by then may be gone. */
  readonly watermarkMicros: number;
}

interface Lookup {
  readonly entity: string;
  readonly resolve: (found: Found | undefined) => void;
  readonly reject: (error: Error) => void;
}

interface KeptVersion {
  readonly view: CompiledView;
  readonly cache: RecordCache;
  /** Entities that are to be loaded together. */
  waiting: Lookup[];
}

const MAXIMUM_BATCH = 512;
/** More offsets than these are not followed: entities are read again when they are asked for. */
const MAXIMUM_TAIL = 20_000;
/** Loads that the tail has overtaken; one more finds the database a few milliseconds later. */
const ATTEMPTS = 10;
const NOTHING: StreamProgress = { watermark: -Infinity, corrections: 0, positions: [] };

@Injectable()
export class OnlineReader implements OnApplicationShutdown {
  private readonly pool: Pool;
  private readonly maximumRecords: number;
  private readonly versions = new Map<number, KeptVersion>();
  private scheduled = false;

  constructor(
    @Inject(SETTINGS) settings: FeatureStoreSettings,
    @Inject(SERVICE_NAME) service: string,
    private readonly watermarks: Watermarks,
  ) {
    this.maximumRecords = settings.ONLINE_CACHE_RECORDS;
    this.pool = new Pool({
      connectionString: settings.DATABASE_URL,
      max: settings.ONLINE_POOL_SIZE,
      options: `-c search_path="${schemaOf(service)}"`,
      application_name: 'headrace-feature-store-online',
    });
    // A connection that breaks while idle is replaced by the next read, which reports what is wrong.
    this.pool.on('error', () => undefined);
    watermarks.follow((progress) => this.follow(progress));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }

  /** At once when the entity is in memory; undefined when the view's version has just been replaced. */
  find(view: CompiledView, versionId: number, entity: string): Found | Promise<Found | undefined> {
    const version = this.versionOf(versionId, view);
    const known = version.cache.find(entity);
    if (known) return { entity: known, watermarkMicros: version.cache.watermark };
    return new Promise((resolve, reject) => {
      version.waiting.push({ entity, resolve, reject });
      if (this.scheduled) return;
      this.scheduled = true;
      setImmediate(() => this.drain());
    });
  }

  private drain(): void {
    this.scheduled = false;
    for (const [versionId, version] of this.versions) {
      const { waiting } = version;
      if (waiting.length === 0) continue;
      version.waiting = [];
      for (let at = 0; at < waiting.length; at += MAXIMUM_BATCH)
        void this.answer(versionId, version, waiting.slice(at, at + MAXIMUM_BATCH));
    }
  }

  private async answer(versionId: number, version: KeptVersion, lookups: readonly Lookup[]): Promise<void> {
    try {
      const loaded = await this.load(versionId, version, [...new Set(lookups.map(({ entity }) => entity))]);
      for (const { entity, resolve } of lookups) resolve(loaded?.get(entity));
    } catch (error) {
      for (const { reject } of lookups) reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private async load(
    versionId: number,
    { view, cache }: KeptVersion,
    entities: readonly string[],
  ): Promise<ReadonlyMap<string, Found> | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      const loaded = await loadEntities(this.pool, versionId, view.stream, entities);
      if (!loaded) {
        this.versions.delete(versionId);
        return undefined;
      }
      const { progress, records } = loaded;
      if (!cache.isCurrent(progress)) {
        if (attempt === ATTEMPTS) throw new Error(`view ${view.name}: what was read is older than what is known`);
        continue;
      }
      const watermarkMicros = Math.max(cache.watermark, progress.watermark);
      return new Map(
        entities.map((entity, index) => {
          const kept = new KeptEntity(records[index] ?? [], progress.positions);
          cache.add(entity, kept);
          return [entity, { entity: kept, watermarkMicros }];
        }),
      );
    }
  }

  /** Brings all that is kept to a progress, before anybody is told of it. */
  private async follow(progress: ReadonlyMap<string, StreamProgress>): Promise<void> {
    for (const [versionId, { view, cache, waiting }] of this.versions) {
      if (this.watermarks.servingVersion(view.name)?.id !== versionId && waiting.length === 0) {
        this.versions.delete(versionId);
        continue;
      }
      const next = progress.get(view.stream);
      if (!next) continue;
      if (cache.isEmpty || next.corrections !== cache.corrections || offsetsBetween(cache, next) > MAXIMUM_TAIL) {
        cache.reset(next);
      } else {
        cache.follow(next, await readTail(this.pool, versionId, cache.positions, next.positions));
      }
      cachedRecords.set({ view: view.name }, cache.recordCount);
    }
  }

  private versionOf(versionId: number, view: CompiledView): KeptVersion {
    const known = this.versions.get(versionId);
    if (known) return known;
    const cache = new RecordCache(
      this.maximumRecords,
      view.retentionMicros + view.longestWindowMicros,
      this.watermarks.progressOf(view.stream) ?? NOTHING,
    );
    const version = { view, cache, waiting: [] };
    this.versions.set(versionId, version);
    return version;
  }
}

function offsetsBetween({ positions }: RecordCache, next: StreamProgress): number {
  return next.positions.reduce((sum, offset, partition) => sum + offset - (positions[partition] ?? -1), 0);
}

// Windows of many entities and moments. Records that are final are kept in memory; what is new is read for concurrent
// calls together, in one statement for each view. See docs/adr/0013-final-records-in-memory.md.
import { schemaOf, SERVICE_NAME, SETTINGS } from '@headrace/service-kit';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Pool } from 'pg';
import { foldWindows, insertRecords } from '../domain/kept-records';
import type { CompiledView } from '../domain/feature-view';
import type { FeatureStoreSettings } from '../feature-store.config';
import { cachedRecords } from '../feature-store-metrics';
import { readFreshRecords } from './fresh-records';
import type { ViewPart } from './online-plan';
import { RecordCache, type KeptEntity } from './record-cache';
import { Watermarks } from './watermarks';

export interface Found {
  /** Values of the part's features, in the part's order. */
  readonly values: readonly number[];
  /** Of the view's stream, at the moment of the read. */
  readonly watermarkMicros: number;
}

interface Lookup {
  readonly part: ViewPart;
  readonly entity: string;
  readonly asOfMicros: number;
  readonly resolve: (found: Found | undefined) => void;
  readonly reject: (error: Error) => void;
}

interface Batch {
  readonly view: CompiledView;
  readonly lookups: Lookup[];
}

const MAXIMUM_BATCH = 512;
/** Contents of views whose records are kept: a change of a view has two for a moment. */
const MAXIMUM_CACHES = 64;

@Injectable()
export class OnlineReader implements OnApplicationShutdown {
  private readonly pool: Pool;
  private readonly maximumRecords: number;
  private readonly caches = new Map<number, RecordCache>();
  private waiting = new Map<number, Batch>();
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
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }

  /** Values as of a moment; undefined when the view's version has just been replaced. */
  read(part: ViewPart, versionId: number, entity: string, asOfMicros: number): Promise<Found | undefined> {
    const { view } = part;
    const cache = this.cacheOf(versionId, view);
    if (cache.corrections === this.watermarks.correctionsOf(view.stream)) {
      const entry = cache.open(entity);
      if (asOfMicros <= entry.completeTo) return Promise.resolve(answer(part, entry, asOfMicros));
    }
    return new Promise((resolve, reject) => {
      const batch = this.waiting.get(versionId) ?? { view, lookups: [] };
      this.waiting.set(versionId, batch);
      batch.lookups.push({ part, entity, asOfMicros, resolve, reject });
      if (batch.lookups.length >= MAXIMUM_BATCH) {
        this.waiting.delete(versionId);
        void this.run(versionId, batch);
      } else if (!this.scheduled) {
        this.scheduled = true;
        setImmediate(() => this.drain());
      }
    });
  }

  private drain(): void {
    this.scheduled = false;
    const batches = this.waiting;
    this.waiting = new Map();
    for (const [versionId, batch] of batches) void this.run(versionId, batch);
  }

  private async run(versionId: number, { view, lookups }: Batch): Promise<void> {
    try {
      const entities = [...new Set(lookups.map(({ entity }) => entity))];
      const found = await this.refresh(versionId, view, entities);
      for (const lookup of lookups) lookup.resolve(found && answerFresh(lookup, found));
    } catch (error) {
      for (const { reject } of lookups) reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private async refresh(
    versionId: number,
    view: CompiledView,
    entities: readonly string[],
  ): Promise<ReadonlyMap<string, KeptEntity> | undefined> {
    const cache = this.cacheOf(versionId, view);
    for (;;) {
      const entries = entities.map((entity) => cache.open(entity));
      const wanted = entities.map((entity, index) => ({ entity, after: entries[index]?.completeTo ?? -Infinity }));
      const fresh = await readFreshRecords(this.pool, versionId, view.stream, wanted);
      if (!fresh) {
        this.caches.delete(versionId);
        return undefined;
      }
      if (fresh.corrections !== cache.corrections) {
        cache.reset(fresh.corrections);
        continue;
      }
      const answers = new Map<string, KeptEntity>();
      entities.forEach((entity, index) => {
        const entry = entries[index];
        const read = fresh.records[index] ?? [];
        if (!entry) return;
        cache.merge(entity, entry, fresh.watermark, read);
        // What lies beyond the watermark may get company: it answers this read and is not kept.
        const beyond = read.filter(({ knownTime }) => knownTime > entry.completeTo);
        const records = beyond.length === 0 ? entry.records : [...entry.records];
        if (beyond.length > 0) insertRecords(records, beyond);
        answers.set(entity, { completeTo: entry.completeTo, records });
      });
      cachedRecords.set({ view: view.name }, cache.recordCount);
      return answers;
    }
  }

  private cacheOf(versionId: number, view: CompiledView): RecordCache {
    const known = this.caches.get(versionId);
    if (known) return known;
    const oldest = this.caches.keys().next();
    if (this.caches.size >= MAXIMUM_CACHES && oldest.done !== true) this.caches.delete(oldest.value);
    const cache = new RecordCache(this.maximumRecords, view.retentionMicros + view.longestWindowMicros);
    this.caches.set(versionId, cache);
    return cache;
  }
}

function answer({ accumulators }: ViewPart, entry: KeptEntity, asOfMicros: number): Found {
  return {
    values: foldWindows(accumulators, entry.records, asOfMicros),
    watermarkMicros: entry.completeTo,
  };
}

function answerFresh({ part, entity, asOfMicros }: Lookup, found: ReadonlyMap<string, KeptEntity>): Found | undefined {
  const entry = found.get(entity);
  return entry && answer(part, entry, asOfMicros);
}

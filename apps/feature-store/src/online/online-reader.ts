// Reads windows of many entities and moments, those of concurrent calls together in one statement for each view.
import { schemaOf, SERVICE_NAME, SETTINGS } from '@headrace/service-kit';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Pool } from 'pg';
import type { FeatureStoreSettings } from '../feature-store.config';
import type { ViewPart } from './online-plan';
import { accumulatorOf, windowSql } from './window-sql';

export interface Found {
  /** Values of the part's features, in the part's order. */
  readonly values: readonly number[];
  /** Of the view's stream, at the moment of the read. */
  readonly watermarkMicros: number;
}

interface Lookup {
  readonly entity: string;
  readonly asOfMicros: number;
  readonly resolve: (found: Found | undefined) => void;
  readonly reject: (error: Error) => void;
}

interface Batch {
  readonly part: ViewPart;
  readonly versionId: number;
  readonly lookups: Lookup[];
}

const MAXIMUM_BATCH = 512;

@Injectable()
export class OnlineReader implements OnApplicationShutdown {
  private readonly pool: Pool;
  private readonly statements = new WeakMap<ViewPart, { name: string; text: string }>();
  private waiting = new Map<ViewPart, Batch>();
  private scheduled = false;
  private named = 0;

  constructor(@Inject(SETTINGS) settings: FeatureStoreSettings, @Inject(SERVICE_NAME) service: string) {
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

  /**
   * Values as of a moment; undefined when the view's version has just been replaced. Coalesced until the event loop turns.
   */
  read(part: ViewPart, versionId: number, entity: string, asOfMicros: number): Promise<Found | undefined> {
    return new Promise((resolve, reject) => {
      const batch = this.waiting.get(part) ?? { part, versionId, lookups: [] };
      this.waiting.set(part, batch);
      batch.lookups.push({ entity, asOfMicros, resolve, reject });
      if (batch.lookups.length >= MAXIMUM_BATCH) {
        this.waiting.delete(part);
        void this.run(batch);
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
    for (const batch of batches.values()) void this.run(batch);
  }

  private async run({ part, versionId, lookups }: Batch): Promise<void> {
    try {
      const { rows } = await this.pool.query<Record<string, unknown>>({
        ...this.statementOf(part),
        values: [
          lookups.map((_, index) => index),
          lookups.map(({ entity }) => entity),
          lookups.map(({ asOfMicros }) => asOfMicros),
          versionId,
          part.view.stream,
        ],
      });
      const columns = part.accumulators.columns.map((_, index) => `c${index}`);
      for (const row of rows) {
        const values = part.accumulators.finish(columns.map((column) => accumulatorOf(row[column])));
        const watermark = row['watermark'];
        lookups[Number(row['i'])]?.resolve({
          values,
          watermarkMicros: typeof watermark === 'number' ? watermark : -Infinity,
        });
      }
      // Settled ones are not touched by this.
      for (const { resolve } of lookups) resolve(undefined);
    } catch (error) {
      for (const { reject } of lookups) reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Prepared once on each connection. */
  private statementOf(part: ViewPart): { name: string; text: string } {
    const known = this.statements.get(part);
    if (known) return known;
    const statement = { name: `windows_${(this.named += 1)}`, text: windowSql(part) };
    this.statements.set(part, statement);
    return statement;
  }
}

import type { Positions, StreamProgress } from '../database/progress.repository';
import type { AccumulatorPlan } from '../domain/accumulators';
import { foldWindows, indexAfter, insertRecords, type Fold, type KeptRecord } from '../domain/kept-records';
import type { TailRecord } from './entity-records';

/** More plans than these are seldom asked of one view at a time. */
const KEPT_FOLDS = 4;

/** All that is known of one entity of one view version: kept current by the tail while it is in a cache. */
export class KeptEntity {
  private readonly folds = new Map<AccumulatorPlan, Fold>();
  private readonly records: KeptRecord[] = [];

  constructor(
    records: readonly KeptRecord[],
    /** Up to here its records were there when it was loaded. */
    private readonly positions: Positions,
  ) {
    insertRecords(this.records, records);
  }

  get recordCount(): number {
    return this.records.length;
  }

  /** Values of the plan's features as of a moment. Between two changes of a window they are computed once. */
  valuesAt(plan: AccumulatorPlan, asOf: number): readonly number[] {
    const known = this.folds.get(plan);
    if (known && asOf >= known.from && asOf < known.until) return known.values;
    const fold = foldWindows(plan, this.records, asOf);
    if (this.folds.size >= KEPT_FOLDS && !known) this.folds.clear();
    this.folds.set(plan, fold);
    return fold.values;
  }

  add(record: TailRecord, forgetBefore: number): void {
    if (record.offset <= (this.positions[record.partition] ?? -1)) return;
    this.folds.clear();
    insertRecords(this.records, [record.kept()]);
    this.records.splice(0, indexAfter(this.records, forgetBefore));
  }
}

/**
 * Records of recently asked entities of one view version, as of `progress`. Bounded; what was not asked for longest goes
 * first.
 */
export class RecordCache {
  private readonly entities = new Map<string, KeptEntity>();
  private kept = 0;

  constructor(
    private readonly maximumRecords: number,
    /** Of event time before the watermark: older records answer nothing any more. */
    private readonly reachMicros: number,
    private progress: StreamProgress,
  ) {}

  get recordCount(): number {
    return this.kept;
  }

  get isEmpty(): boolean {
    return this.entities.size === 0;
  }

  get positions(): Positions {
    return this.progress.positions;
  }

  get watermark(): number {
    return this.progress.watermark;
  }

  find(entity: string): KeptEntity | undefined {
    const found = this.entities.get(entity);
    if (found) {
      this.entities.delete(entity);
      this.entities.set(entity, found);
    }
    return found;
  }

  /** Whether something that was loaded at this progress lacks nothing of what the cache has been told since. */
  isCurrent({ positions, corrections }: StreamProgress): boolean {
    if (corrections < this.progress.corrections) return false;
    return this.positions.every((offset, partition) => (positions[partition] ?? -1) >= offset);
  }

  /** An entity that was loaded when the cache was current with it, or is ahead of it. */
  add(entity: string, loaded: KeptEntity): void {
    this.kept += loaded.recordCount - (this.entities.get(entity)?.recordCount ?? 0);
    this.entities.delete(entity);
    this.entities.set(entity, loaded);
    this.makeRoom();
  }

  /** What came between the last progress and this one. */
  follow(progress: StreamProgress, tail: readonly TailRecord[]): void {
    this.progress = progress;
    const forgetBefore = progress.watermark - this.reachMicros;
    for (const record of tail) {
      const entity = this.entities.get(record.entity);
      if (!entity) continue;
      this.kept -= entity.recordCount;
      entity.add(record, forgetBefore);
      this.kept += entity.recordCount;
    }
    this.makeRoom();
  }

  /** Begins again: what was read before has been corrected, or too much has come to be followed. */
  reset(progress: StreamProgress): void {
    this.entities.clear();
    this.kept = 0;
    this.progress = progress;
  }

  /** Of the stream when it was followed last: another count means that what is kept was corrected. */
  get corrections(): number {
    return this.progress.corrections;
  }

  private makeRoom(): void {
    for (const [entity, { recordCount }] of this.entities) {
      // An entity without records takes room as well.
      if (this.kept + this.entities.size <= this.maximumRecords) return;
      this.entities.delete(entity);
      this.kept -= recordCount;
    }
  }
}

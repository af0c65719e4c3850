import { indexAfter, insertRecords, type KeptRecord } from '../domain/kept-records';

/** What is known of one entity of one view version. */
export interface KeptEntity {
  /** Every record with a known time up to this one is here; none will follow. */
  completeTo: number;
  /** Sorted by event time. */
  readonly records: KeptRecord[];
}

/**
 * Final records of recently asked entities, of one view version. A record whose known time the watermark has passed can
 * neither change nor get company, so it is read from the database once. Bounded; what was not asked for longest goes first.
 */
export class RecordCache {
  private entities = new Map<string, KeptEntity>();
  private kept = 0;

  constructor(
    private readonly maximumRecords: number,
    /** Of event time before the watermark: older records answer nothing any more. */
    private readonly reachMicros: number,
    /** Of the stream when the cache was begun: records behind the watermark came, and it had to begin again. */
    public corrections = 0,
  ) {}

  get recordCount(): number {
    return this.kept;
  }

  /** What is kept of the entity, at first nothing. */
  open(entity: string): KeptEntity {
    const entry = this.entities.get(entity) ?? { completeTo: -Infinity, records: [] };
    this.entities.delete(entity);
    this.entities.set(entity, entry);
    return entry;
  }

  /**
   * Adds final records that were read while the watermark stood at `watermark`: all whose known time lies above the
   * entry's own mark of that time, and possibly some that it has by now. An entry that was dropped meanwhile still answers.
   */
  merge(entity: string, entry: KeptEntity, watermark: number, read: readonly KeptRecord[]): void {
    const before = entry.records.length;
    const mark = entry.completeTo;
    insertRecords(
      entry.records,
      read.filter(({ knownTime }) => knownTime > mark && knownTime <= watermark),
    );
    entry.completeTo = Math.max(mark, watermark);
    entry.records.splice(0, indexAfter(entry.records, entry.completeTo - this.reachMicros));
    if (this.entities.get(entity) !== entry) return;
    this.kept += entry.records.length - before;
    this.makeRoom();
  }

  reset(corrections: number): void {
    this.entities = new Map();
    this.kept = 0;
    this.corrections = corrections;
  }

  private makeRoom(): void {
    for (const [entity, { records }] of this.entities) {
      // An entity without records takes room as well.
      if (this.kept + this.entities.size <= this.maximumRecords) return;
      this.entities.delete(entity);
      this.kept -= records.length;
    }
  }
}

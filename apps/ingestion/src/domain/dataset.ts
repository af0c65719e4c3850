import { canonicalJson, type DataStream } from '@headrace/definitions';

/** Offsets from ≤ offset < to of one partition of data.<stream>.v1. */
export interface OffsetRange {
  readonly from: number;
  readonly to: number;
}
export type OffsetRanges = ReadonlyMap<number, OffsetRange>;

export interface Column {
  readonly name: string;
  readonly type: DataStream['spec']['fields'][string]['type'];
}

export interface DatasetFile {
  readonly digest: string;
  readonly rows: number;
  readonly min_event_time: number;
  readonly max_event_time: number;
  readonly max_known_time: number;
  readonly offsets: Readonly<Record<string, OffsetRange>>;
}

/** What a dataset version is, byte for byte: its digest names it. Times are microseconds since the epoch. */
export interface Manifest {
  readonly contract: 'headrace.dev/dataset/v1';
  readonly stream: string;
  readonly version: number;
  readonly parent: string | null;
  readonly schema: readonly Column[];
  readonly files: readonly DatasetFile[];
  readonly rows: number;
}

export function manifestOf(
  stream: string,
  schema: readonly Column[],
  parent: { readonly digest: string; readonly manifest: Manifest } | undefined,
  added: readonly DatasetFile[],
): Manifest {
  const files = [...(parent?.manifest.files ?? []), ...added];
  return {
    contract: 'headrace.dev/dataset/v1',
    stream,
    version: (parent?.manifest.version ?? 0) + 1,
    parent: parent?.digest ?? null,
    schema,
    files,
    rows: files.reduce((rows, file) => rows + file.rows, 0),
  };
}

export function manifestBytes(manifest: Manifest): Buffer {
  return Buffer.from(canonicalJson(manifest), 'utf8');
}

export function parseManifest(bytes: Buffer): Manifest {
  return JSON.parse(bytes.toString('utf8')) as Manifest;
}

/** By name, as the order in which a document lists its fields means nothing. */
export function columnsOf(definition: DataStream): Column[] {
  return Object.entries(definition.spec.fields)
    .map(([name, { type }]) => ({ name, type }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What lies between the last version and the end of the log; partitions without anything new are left out. */
export function newRanges(committed: ReadonlyMap<number, number>, ends: ReadonlyMap<number, number>): OffsetRanges {
  const ranges = new Map<number, OffsetRange>();
  for (const [partition, to] of [...ends].sort(([a], [b]) => a - b)) {
    const from = committed.get(partition) ?? 0;
    if (to < from) {
      throw new Error(
        `partition ${partition} ends at ${to}, but records up to ${from} are in a dataset version: the topic was made ` +
          'anew or its data was lost',
      );
    }
    if (to > from) ranges.set(partition, { from, to });
  }
  return ranges;
}

/** Cuts ranges into parts of at most `maxRows` offsets, each taking its share of every partition, in order. */
export function splitRanges(ranges: OffsetRanges, maxRows: number): OffsetRanges[] {
  const total = [...ranges.values()].reduce((sum, range) => sum + range.to - range.from, 0);
  const parts = Math.max(1, Math.ceil(total / (maxRows - ranges.size)));
  return Array.from({ length: parts }, (_, part) => {
    const cut = new Map<number, OffsetRange>();
    for (const [partition, { from, to }] of ranges) {
      const at = (index: number): number => from + Math.ceil(((to - from) * index) / parts);
      if (at(part + 1) > at(part)) cut.set(partition, { from: at(part), to: at(part + 1) });
    }
    return cut;
  });
}

/**
 * Drops repeats: events of one producer shard rise by sequence within a partition, so one at or below the last is a
 * repeat. The state goes from version to version: a repeat may lie in a later range than its original.
 */
export class RepeatFilter {
  private readonly last: Map<string, number>;

  constructor(state: Readonly<Record<string, number>>) {
    this.last = new Map(Object.entries(state));
  }

  isNew(partition: number, shard: string, sequence: number): boolean {
    const key = `${partition} ${shard}`;
    const last = this.last.get(key);
    if (last !== undefined && sequence <= last) return false;
    this.last.set(key, sequence);
    return true;
  }

  get state(): Record<string, number> {
    return Object.fromEntries(this.last);
  }
}

// Dataset versions as ingestion commits them, for specs.
import { join } from 'node:path';
import { BIGINT, BOOLEAN, DOUBLE, INTEGER, VARCHAR, type DuckDBType } from '@duckdb/node-api';
import type { ArtifactStore } from '@headrace/artifacts';
import type { DatasetVersionRef } from '@headrace/contracts/proto/common/v1/common';
import { scalarOf, type Fields } from '@headrace/definitions';
import { literal, TableWriter, withDuckDb } from '../src/history/duckdb';

const TYPES: Readonly<Record<string, DuckDBType>> = {
  string: VARCHAR,
  int: BIGINT,
  timestamp: BIGINT,
  double: DOUBLE,
  bool: BOOLEAN,
};

export interface DatasetRow {
  readonly key: string;
  readonly eventTime: number;
  readonly knownTime: number;
  readonly partition: number;
  readonly offset: number;
  readonly fields: Fields;
}

/**
 * Writes one version with a file for each list of rows. `ends`: offsets that the version reaches to, by partition, where
 * that is further than its rows.
 */
export async function commitDataset(
  artifacts: ArtifactStore,
  stream: string,
  schema: readonly { readonly name: string; readonly type: string }[],
  files: readonly (readonly DatasetRow[])[],
  ends: Readonly<Record<string, number>> = {},
): Promise<DatasetVersionRef> {
  const entries: FileEntry[] = [];
  for (const rows of files) {
    const path = await withDuckDb({ memoryLimit: '500MB', threads: 1 }, async (connection, folder) => {
      const writer = await TableWriter.create(connection, 'rows', [
        { name: '_key', type: VARCHAR },
        { name: '_event_time', type: BIGINT },
        { name: '_known_time', type: BIGINT },
        { name: '_partition', type: INTEGER },
        { name: '_offset', type: BIGINT },
        { name: '_event_id', type: VARCHAR },
        ...schema.map(({ name, type }) => ({ name, type: TYPES[type] ?? VARCHAR })),
      ]);
      for (const { key, eventTime, knownTime, partition, offset, fields } of rows) {
        writer.write([
          key,
          BigInt(eventTime),
          BigInt(knownTime),
          partition,
          BigInt(offset),
          `upstream/${partition}/${offset}`,
          ...schema.map(({ name, type }) => {
            const value = scalarOf(fields[name]);
            return TYPES[type] === BIGINT && typeof value === 'number' ? BigInt(value) : value;
          }),
        ]);
      }
      writer.close();
      const file = join(folder, 'rows.parquet');
      await connection.run(`COPY rows TO ${literal(file)} (FORMAT parquet)`);
      return artifacts.putFile(file, 'rows.parquet');
    });
    entries.push({ digest: path.digest, rows: rows.length, offsets: offsetsOf(rows) });
  }
  const reached = Object.entries(ends).map(([partition, to]) => [partition, { from: 0, to }]);
  const manifest = {
    contract: 'headrace.dev/dataset/v1',
    stream,
    version: 1,
    parent: null,
    schema,
    files: [...entries.slice(0, -1), withOffsets(entries.at(-1), Object.fromEntries(reached))],
    rows: files.flat().length,
  };
  const { digest } = await artifacts.putBytes(Buffer.from(JSON.stringify(manifest)), 'manifest.json');
  return { stream, version: 1, manifestDigest: digest };
}

type Offsets = Record<string, { from: number; to: number }>;

interface FileEntry {
  readonly digest: string;
  readonly rows: number;
  readonly offsets: Offsets;
}

function withOffsets(entry: FileEntry | undefined, more: Offsets): FileEntry | undefined {
  return entry && { ...entry, offsets: { ...entry.offsets, ...more } };
}

function offsetsOf(rows: readonly DatasetRow[]): Offsets {
  const offsets: Offsets = {};
  for (const { partition, offset } of rows) {
    const known = offsets[partition];
    offsets[partition] = {
      from: Math.min(known?.from ?? offset, offset),
      to: Math.max(known?.to ?? 0, offset + 1),
    };
  }
  return offsets;
}

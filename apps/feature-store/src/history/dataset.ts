// A dataset version as ingestion commits it: a manifest in the artifact store that names Parquet files by digest.
import { DomainError } from '@headrace/contracts';
import type { DatasetVersionRef } from '@headrace/contracts/proto/common/v1/common';
import type { ArtifactStore } from '@headrace/artifacts';
import { z } from 'zod';

const Manifest = z.object({
  contract: z.literal('headrace.dev/dataset/v1'),
  stream: z.string(),
  version: z.int(),
  schema: z.array(z.object({ name: z.string(), type: z.enum(['string', 'int', 'double', 'bool', 'timestamp']) })),
  files: z.array(
    z.object({
      digest: z.string(),
      offsets: z.record(z.string(), z.object({ from: z.int(), to: z.int() })),
    }),
  ),
});

export type Column = z.output<typeof Manifest>['schema'][number];

export interface Dataset {
  readonly ref: DatasetVersionRef;
  readonly columns: readonly Column[];
  /** Parquet files, each verified by its digest. */
  readonly paths: readonly string[];
  /** The version holds the records of data.<stream>.v1 below these offsets, by partition. */
  readonly endOffsets: ReadonlyMap<number, number>;
}

export async function openDataset(artifacts: ArtifactStore, ref: DatasetVersionRef): Promise<Dataset> {
  const bytes = await artifacts.read(ref.manifestDigest);
  const result = Manifest.safeParse(JSON.parse(bytes.toString('utf8')));
  if (!result.success) {
    const faults = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new DomainError(
      'precondition',
      'bad_manifest',
      `dataset ${ref.stream} version ${ref.version}: ${faults.join('; ')}`,
    );
  }
  const manifest = result.data;
  const endOffsets = new Map<number, number>();
  for (const { offsets } of manifest.files) {
    for (const [partition, { to }] of Object.entries(offsets)) {
      endOffsets.set(Number(partition), Math.max(to, endOffsets.get(Number(partition)) ?? 0));
    }
  }
  return {
    ref,
    columns: manifest.schema,
    paths: await Promise.all(manifest.files.map(({ digest }) => artifacts.pathOf(digest))),
    endOffsets,
  };
}

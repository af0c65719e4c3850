// What the scores of a dataset version are, and what they rest on: a function of the inputs alone, so that the same job asked
// again under another id has the same digest.
import type { ScoringRequested } from '@headrace/contracts/proto/registry/v1/registry_events';

export interface ScoresManifest {
  readonly contract: 'headrace.dev/scores/v1';
  readonly model: string;
  readonly version: number;
  readonly modelDigest: string;
  readonly task: string;
  readonly plan: string;
  readonly planVersion: string;
  readonly dataset: Ref;
  readonly sources: readonly Ref[];
  readonly featureViews: readonly string[];
  /** The features that the model was given, as one Parquet file. */
  readonly featuresDigest: string;
  /** Columns of every file. */
  readonly schema: readonly { readonly name: string; readonly type: 'string' | 'int' | 'double' | 'timestamp' }[];
  /** Parquet, in the order of the rows: by (known time, record key, partition, offset). */
  readonly files: readonly { readonly digest: string; readonly sizeBytes: number; readonly rows: number }[];
  readonly rows: number;
  readonly rowsBeyondSources: number;
}

interface Ref {
  readonly stream: string;
  readonly version: number;
  readonly manifestDigest: string;
}

export function scoresManifest(
  request: Pick<ScoringRequested, 'model' | 'version' | 'modelArtifact' | 'signature' | 'plan'>,
  inputs: {
    readonly dataset: Ref;
    readonly sources: readonly Ref[];
    readonly featureViews: readonly string[];
    readonly planVersion: string;
    readonly features: { readonly digest: string };
  },
  files: readonly { readonly digest: string; readonly sizeBytes: number; readonly rows: number }[],
  rows: number,
  rowsBeyondSources: number,
): ScoresManifest {
  const { dataset, sources, featureViews, planVersion, features } = inputs;
  return {
    contract: 'headrace.dev/scores/v1',
    model: request.model,
    version: request.version,
    modelDigest: request.modelArtifact?.digest ?? '',
    task: request.signature?.task ?? '',
    plan: request.plan,
    planVersion,
    dataset,
    sources,
    featureViews,
    featuresDigest: features.digest,
    schema: [
      { name: '_key', type: 'string' },
      { name: '_event_time', type: 'timestamp' },
      { name: '_known_time', type: 'timestamp' },
      { name: '_partition', type: 'int' },
      { name: '_offset', type: 'int' },
      ...(request.signature?.features ?? []).map(({ name }) => ({ name, type: 'double' as const })),
      { name: '_output', type: 'double' },
    ],
    files: files.map(({ digest, sizeBytes, rows: rowsOfFile }) => ({ digest, sizeBytes, rows: rowsOfFile })),
    rows,
    rowsBeyondSources,
  };
}

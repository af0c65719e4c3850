// Builders with sensible defaults for specs.
import type { ModelInferRequest } from '@headrace/contracts/inference';
import { FeatureStatus, type FeatureVector } from '@headrace/contracts/proto/features/v1/features_service';
import type { PredictRequest } from '@headrace/contracts/proto/inference/v1/inference_service';
import {
  VersionRole,
  type DeployedVersion,
  type DeploymentChanged,
} from '@headrace/contracts/proto/registry/v1/registry_events';
import type { FeatureColumn } from '@headrace/contracts/proto/training/v1/training_events';
import { doubleValue, stringValue } from '@headrace/definitions';
import { readDeployment, type Deployment } from '../src/domain/deployment';
import { planInputs } from '../src/domain/input-plan';
import { MicroBatcher } from '../src/models/micro-batcher';
import { ActiveDeployment } from '../src/serving/active-deployment';
import { Faults, type FaultListener } from '../src/models/faults';
import type { HeldModel, ModelFault, Outputs, PackedRows, TensorSpec } from '../src/models/tensors';

export function aColumn(name: string, overrides: Partial<FeatureColumn> = {}): FeatureColumn {
  return { name, view: 'origin-delays', feature: name, requestExpression: '', entity: 'origin', ...overrides };
}

/** The features of the fixtures: see test/fixtures/make_fixtures.py. */
export const flightColumns: readonly FeatureColumn[] = [
  aColumn('distance', { view: '', feature: '', entity: '', requestExpression: 'request.distance' }),
  aColumn('local_hour', { view: '', feature: '', entity: '', requestExpression: 'request.local_hour' }),
  ...['origin', 'destination'].flatMap((entity) =>
    [3, 24].flatMap((hours) =>
      ['mean_delay', 'late_share'].map((what) =>
        aColumn(`${entity}_${what}_${hours}h`, { view: `${entity}-delays`, feature: `${what}_${hours}h`, entity }),
      ),
    ),
  ),
  aColumn('origin_count_3h', { feature: 'count_3h' }),
];

export function aDeployedVersion(version: number, overrides: Partial<DeployedVersion> = {}): DeployedVersion {
  return {
    version,
    role: VersionRole.CHAMPION,
    weightPercent: 100,
    modelArtifact: { digest: `sha256:${String(version).padStart(64, '0')}`, sizeBytes: 1, name: 'model.onnx' },
    profileArtifact: undefined,
    signature: { task: 'binary', inputs: [], outputs: [], features: [...flightColumns] },
    ...overrides,
  };
}

export function aDeploymentChanged(overrides: Partial<DeploymentChanged> = {}): DeploymentChanged {
  return {
    endpoint: 'late-arrival',
    generation: 1,
    model: 'late-arrival',
    versions: [aDeployedVersion(1)],
    rollout: undefined,
    behaviour: {
      endpointVersion: 'Endpoint/late-arrival@1',
      labelJoinKey: 'flight',
      fallback: { value: 0.2 },
      featureTimeoutMicros: 2_000_000,
      logSampleRate: 1,
      guardrails: undefined,
      personal: [],
    },
    ...overrides,
  };
}

/** Version 1 answers, version 2 is its canary; both score every request. */
export function aPairedRollout(canaryWeight = 20): DeploymentChanged {
  return aDeploymentChanged({
    generation: 2,
    versions: [
      aDeployedVersion(1, { weightPercent: 100 - canaryWeight }),
      aDeployedVersion(2, { role: VersionRole.CANARY, weightPercent: canaryWeight }),
    ],
    rollout: {
      rolloutId: 'rollout-1',
      candidateVersion: 2,
      championVersion: 1,
      step: 0,
      paused: false,
      byWaiver: false,
      paired: true,
      startedAtMicros: 0,
      strategy: 'canary',
      assignmentUnit: '',
      stepStartedAtMicros: 0,
    },
  });
}

export function aDeployment(changed: DeploymentChanged = aDeploymentChanged()): Deployment {
  const reading = readDeployment(changed, { eventId: `deployment-${changed.generation}`, correlationId: 'loop-1' });
  if (reading.kind === 'unusable') throw new Error(reading.message);
  return reading.deployment;
}

export function aPredictRequest(overrides: Partial<PredictRequest> = {}): PredictRequest {
  return {
    endpoint: 'late-arrival',
    entities: { origin: 'ATL', destination: 'ORD' },
    request: { flight: stringValue('f-1'), distance: doubleValue(606), local_hour: doubleValue(9.5) },
    asOfMicros: 980_000_000_000_000,
    predictionId: '',
    ...overrides,
  };
}

export function aVector(overrides: Partial<FeatureVector> = {}): FeatureVector {
  return {
    values: flightColumns.map((_, index) => index),
    statuses: flightColumns.map(() => FeatureStatus.PRESENT),
    asOfMicros: 980_000_000_000_000,
    watermarkMicros: 980_000_000_000_001,
    ...overrides,
  };
}

/** FP32 values as the packed rows of a model that takes nothing else. */
export function packed(values: Float32Array, rows: number): PackedRows {
  return { rows, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength), strings: [] };
}

/** One raw row for a model of `width` features. */
export function anInferRequest(
  values: readonly number[],
  overrides: Partial<ModelInferRequest> = {},
): ModelInferRequest {
  return {
    modelName: 'late-arrival',
    modelVersion: '',
    id: 'request-1',
    parameters: {},
    inputs: [
      {
        name: 'features',
        datatype: 'FP32',
        shape: [1n, BigInt(values.length)],
        parameters: {},
        contents: undefined,
      },
    ],
    outputs: [],
    rawInputContents: [new Uint8Array(Float32Array.from(values).buffer)],
    ...overrides,
  };
}

/** A model whose "probability" of a row is its first feature; `beforeRun` may throw. */
export class FirstFeatureModel implements HeldModel {
  readonly place = 'here';
  readonly runRows = 64;
  readonly rowMicros = 1;
  readonly outputs = [
    { name: 'label', datatype: 'INT64', shape: [-1] },
    { name: 'probabilities', datatype: 'FP32', shape: [-1, 2] },
  ] as const;
  readonly inputs: readonly TensorSpec[];
  readonly rowBytes: number;
  readonly rowStrings = 0;
  readonly batches: number[] = [];
  released = false;
  private readonly faults = new Faults();

  constructor(
    readonly width = flightColumns.length,
    private readonly beforeRun: (features: Float32Array, rows: number) => void = () => undefined,
  ) {
    this.inputs = [{ name: 'features', datatype: 'FP32', shape: [-1, width] }];
    this.rowBytes = width * 4;
  }

  async run({ bytes, rows }: PackedRows): Promise<Outputs> {
    const features = new Float32Array(bytes.slice().buffer);
    await new Promise((resolve) => setImmediate(resolve));
    if (this.released) throw new Error('run after release');
    this.beforeRun(features, rows);
    this.batches.push(rows);
    const first = Array.from({ length: rows }, (_, row) => features[row * this.width] ?? NaN);
    return {
      label: { data: BigInt64Array.from(first, (value) => BigInt(Math.round(value))), dims: [rows] },
      probabilities: { data: Float32Array.from(first.flatMap((value) => [1 - value, value])), dims: [rows, 2] },
    };
  }

  watch(listener: FaultListener): () => void {
    return this.faults.watch(listener);
  }

  /** As when the process that runs it dies. */
  die(fault: ModelFault): void {
    this.faults.tell(fault);
  }

  release(): Promise<void> {
    this.released = true;
    return Promise.resolve();
  }
}

/** Version 1 alone, served by this model. */
export function anActiveDeployment(model: FirstFeatureModel, deployment: Deployment = aDeployment()): ActiveDeployment {
  const batcher = new MicroBatcher(model, { maxBatchRows: 64, maxQueuedRows: 10_000 });
  const loaded = { key: '1', model, batcher, ran: { runs: 0, runSeconds: 0 } };
  const inputs = planInputs(deployment.champion.signature.features);
  return new ActiveDeployment(deployment, [
    { number: 1, role: 'champion', weight: 100, task: 'binary', inputs, loaded, ranges: [] },
  ]);
}

// What the Open Inference Protocol tells of the server and its models, and what its repository extension may do here.
import { DomainError } from '@headrace/contracts';
import type {
  ModelMetadataResponse,
  ModelMetadataResponse_TensorMetadata,
  ModelStatistics,
  RepositoryIndexResponse_ModelIndex,
  ServerMetadataResponse,
} from '@headrace/contracts/inference';
import { DataType, type ModelConfig } from '@headrace/contracts/inference-config';
import type { Datatype, TensorSpec } from '../models/tensors';
import type { RequestStatistics, RequestTotals } from '../open-inference-observer';
import type { ActiveDeployment, ServedVersion } from '../serving/active-deployment';
import type { ServingTable } from '../serving/serving-table';
import { answering, versionOf } from './infer-tensors';

const PLATFORM = 'onnxruntime_onnx';
const BACKEND = 'onnxruntime';
const EXTENSIONS = ['model_repository', 'model_configuration', 'statistics', 'binary_tensor_data'];

/** Triton's configuration names the types of the protocol, but for strings. */
const CONFIG_TYPE: Readonly<Record<Datatype, DataType>> = {
  BOOL: DataType.TYPE_BOOL,
  UINT8: DataType.TYPE_UINT8,
  UINT16: DataType.TYPE_UINT16,
  UINT32: DataType.TYPE_UINT32,
  UINT64: DataType.TYPE_UINT64,
  INT8: DataType.TYPE_INT8,
  INT16: DataType.TYPE_INT16,
  INT32: DataType.TYPE_INT32,
  INT64: DataType.TYPE_INT64,
  FP16: DataType.TYPE_FP16,
  FP32: DataType.TYPE_FP32,
  FP64: DataType.TYPE_FP64,
  BYTES: DataType.TYPE_STRING,
};

export class DescribeModels {
  constructor(
    private readonly table: ServingTable,
    private readonly statistics: RequestStatistics,
    private readonly options: { readonly maxRows: number; tryNow(endpoint: string): Promise<void> },
  ) {}

  server(): ServerMetadataResponse {
    return { name: 'headrace', version: '0.1.0', extensions: [...EXTENSIONS] };
  }

  serverReady(): boolean {
    return this.table.notReadyReason() === undefined;
  }

  /** Known but not loaded is an answer; an unknown name throws `not-found`. Empty version: any. */
  ready(name: string, version: string): boolean {
    const active = this.table.find(name);
    if (!active && this.table.wanted(name)) return false;
    const found = this.table.require(name);
    return version === '' || found.version(version) !== undefined;
  }

  /** Of the champion when no version is named. Throws `not-found`, `unavailable`. */
  metadata(name: string, version: string): ModelMetadataResponse {
    const { active, served } = this.served(name, version);
    const { model } = served.loaded;
    return {
      name,
      versions: answering(active).map(({ number }) => String(number)),
      platform: PLATFORM,
      inputs: model.inputs.map(tensorMetadata),
      outputs: model.outputs.map(tensorMetadata),
    };
  }

  /** Throws `not-found`, `unavailable`. */
  config(name: string, version: string): ModelConfig {
    const { model } = this.served(name, version).served.loaded;
    const tensor = ({ name: tensorName, datatype, shape }: TensorSpec) => ({
      name: tensorName,
      dataType: CONFIG_TYPE[datatype],
      dims: shape.slice(1).map(BigInt),
    });
    return {
      name,
      platform: PLATFORM,
      backend: BACKEND,
      maxBatchSize: this.options.maxRows,
      input: model.inputs.map(tensor),
      output: model.outputs.map(tensor),
      dynamicBatching: { preferredBatchSize: [], maxQueueDelayMicroseconds: 0n },
    };
  }

  /** Since each version was loaded. Empty name: all models; empty version: all versions. */
  modelStatistics(name: string, version: string): ModelStatistics[] {
    if (name === '' && version !== '') throw new DomainError('invalid', 'version_alone', 'a version needs a name');
    const all = name === '' ? this.table.active() : [this.table.require(name)];
    return all.flatMap((active) => {
      const versions = version === '' ? answering(active) : [versionOf(active, version)];
      return versions.map((served) => statisticsOf(active, served, this.statistics.of(active, served)));
    });
  }

  /** Every version that should answer, and whether it can. */
  index(onlyReady: boolean): RepositoryIndexResponse_ModelIndex[] {
    return this.table.all().flatMap(({ wanted, active, refusal }) =>
      wanted.versions.flatMap(({ number, role }): RepositoryIndexResponse_ModelIndex[] => {
        if (role === 'shadow') return [];
        const version = String(number);
        const entry = { name: wanted.endpoint, version };
        if (active?.version(version)) return [{ ...entry, state: 'READY', reason: '' }];
        if (onlyReady) return [];
        if (!refusal) return [{ ...entry, state: 'LOADING', reason: '' }];
        const reason =
          refusal.version === number
            ? `${refusal.code}: ${refusal.message}`
            : `version ${refusal.version} of the same deployment could not be loaded`;
        return [{ ...entry, state: 'UNAVAILABLE', reason }];
      }),
    );
  }

  /**
   * What is served follows from deployments alone: this tries at once what would be tried again later, and returns when the
   * newest deployment serves. Throws `not-found`, `invalid` for parameters, `unavailable` with the reason.
   */
  async load(name: string, parameters: readonly string[]): Promise<void> {
    this.requireKnown(name);
    const [parameter] = parameters;
    if (parameter !== undefined) {
      const message = `parameter "${parameter.slice(0, 100)}" is not accepted: what is loaded is what was deployed`;
      throw new DomainError('invalid', 'load_parameter', message);
    }
    await this.options.tryNow(name);
    const wanted = this.table.wanted(name);
    if (this.table.require(name).deployment.generation === wanted?.generation) return;
    const refusal = this.table.refusal(name);
    const why = refusal
      ? `version ${refusal.version} (${refusal.code}: ${refusal.message})`
      : `generation ${wanted?.generation}`;
    throw new DomainError('unavailable', 'not_loaded', `"${name}" serves its former deployment, not yet ${why}`);
  }

  /** Never done: throws `not-found` or `precondition`. */
  unload(name: string): never {
    this.requireKnown(name);
    const message = `"${name}" is deployed, and this gateway serves what is deployed: change its deployment instead`;
    throw new DomainError('precondition', 'deployed', message);
  }

  private requireKnown(name: string): void {
    if (!this.table.wanted(name)) this.table.require(name);
  }

  private served(name: string, version: string): { active: ActiveDeployment; served: ServedVersion } {
    const active = this.table.require(name);
    return { active, served: version === '' ? active.champion : versionOf(active, version) };
  }
}

function tensorMetadata({ name, datatype, shape }: TensorSpec): ModelMetadataResponse_TensorMetadata {
  return { name, datatype, shape: shape.map(BigInt) };
}

function statisticsOf({ deployment }: ActiveDeployment, served: ServedVersion, totals: RequestTotals): ModelStatistics {
  const { runs, runSeconds } = served.loaded.ran;
  const duration = (count: number, seconds: number) => ({
    count: BigInt(count),
    ns: BigInt(Math.round(seconds * 1e9)),
  });
  return {
    name: deployment.endpoint,
    version: String(served.number),
    lastInference: BigInt(totals.lastMs),
    inferenceCount: BigInt(totals.rows),
    executionCount: BigInt(runs),
    inferenceStats: {
      success: duration(totals.succeeded, totals.succeededSeconds),
      fail: duration(totals.failed, totals.failedSeconds),
      computeInfer: duration(runs, runSeconds),
      queue: undefined,
      computeInput: undefined,
      computeOutput: undefined,
      cacheHit: undefined,
      cacheMiss: undefined,
    },
  };
}

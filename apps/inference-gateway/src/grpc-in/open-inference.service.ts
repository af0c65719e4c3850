// Open Inference Protocol: the caller brings the tensor. A "model" is an endpoint; its versions are those that are loaded.
import { performance } from 'node:perf_hooks';
import { status, type handleUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { DomainError } from '@headrace/contracts';
import {
  GRPCInferenceServiceService,
  type ModelInferRequest,
  type ModelInferResponse,
  type ModelMetadataRequest,
  type ModelMetadataResponse,
  type ModelReadyRequest,
  type ModelReadyResponse,
  type ServerLiveResponse,
  type ServerMetadataResponse,
  type ServerReadyResponse,
} from '@headrace/contracts/inference';
import { statusOf, type GrpcService } from '@headrace/grpc';
import type { GatewayMetrics, RequestMeter } from '../gateway-metrics';
import { INPUT_NAME } from '../models/onnx-model';
import type { ActiveDeployment, ServedVersion } from '../serving/active-deployment';
import type { ServingTable } from '../serving/serving-table';
import { decodeRows, encodeOutputs, requestedOutputs, type EncodedOutputs } from './tensor-codec';

export interface OpenInferenceOptions {
  readonly table: ServingTable;
  readonly metrics: GatewayMetrics;
  readonly maxRows: number;
  readonly log: { error(fields: object, message: string): void };
}

const PLATFORM = 'onnxruntime_onnx';

export function openInferenceService(options: OpenInferenceOptions): GrpcService {
  const service = new OpenInference(options);
  return {
    definition: GRPCInferenceServiceService,
    implementation: {
      serverLive: () => service.serverLive(),
      serverReady: () => service.serverReady(),
      serverMetadata: () => service.serverMetadata(),
      modelReady: (request: ModelReadyRequest) => service.modelReady(request),
      modelMetadata: (request: ModelMetadataRequest) => service.modelMetadata(request),
    },
    access: {
      serverLive: 'public',
      serverReady: 'public',
      serverMetadata: 'public',
      modelReady: 'public',
      modelMetadata: 'public',
    },
    raw: { modelInfer: service.modelInfer },
  };
}

interface Asked {
  readonly request: ModelInferRequest;
  readonly respond: sendUnaryData<ModelInferResponse>;
  readonly active: ActiveDeployment;
  readonly startedAt: number;
}

class OpenInference {
  private readonly meters = new WeakMap<ServedVersion, RequestMeter>();

  constructor(private readonly options: OpenInferenceOptions) {}

  serverLive(): Promise<ServerLiveResponse> {
    return Promise.resolve({ live: true });
  }

  serverReady(): Promise<ServerReadyResponse> {
    return Promise.resolve({ ready: this.options.table.notReadyReason() === undefined });
  }

  serverMetadata(): Promise<ServerMetadataResponse> {
    return Promise.resolve({ name: 'headrace', version: '0.1.0', extensions: [] });
  }

  /** Known but not loaded is an answer, not an error. */
  async modelReady({ name, version }: ModelReadyRequest): Promise<ModelReadyResponse> {
    const active = this.options.table.find(name);
    if (!active && this.options.table.wanted(name)) return { ready: false };
    const found = this.options.table.require(name);
    return { ready: version === '' || found.version(version) !== undefined };
  }

  async modelMetadata({ name, version }: ModelMetadataRequest): Promise<ModelMetadataResponse> {
    const active = this.options.table.require(name);
    const { loaded } = version === '' ? active.champion : versionOf(active, version);
    return {
      name,
      versions: active.versions.map(({ number }) => String(number)),
      platform: PLATFORM,
      inputs: [{ name: INPUT_NAME, datatype: 'FP32', shape: [-1n, BigInt(loaded.model.width)] }],
      outputs: loaded.model.outputs.map(({ name: output, datatype, shape }) => ({
        name: output,
        datatype,
        shape: shape.map(BigInt),
      })),
    };
  }

  /** The hottest path: no promise of its own, no lookup twice. */
  readonly modelInfer: handleUnaryCall<ModelInferRequest, ModelInferResponse> = ({ request }, respond) => {
    const startedAt = performance.now();
    let active: ActiveDeployment | undefined;
    let version: ServedVersion | undefined;
    try {
      active = this.options.table.require(request.modelName);
      version = request.modelVersion === '' ? active.route() : versionOf(active, request.modelVersion);
      this.infer({ request, respond, active, startedAt }, version);
    } catch (error) {
      respond(this.statusOf(error, active, version, startedAt));
    }
  };

  private infer(asked: Asked, version: ServedVersion): void {
    const { request, respond, active, startedAt } = asked;
    const { model, batcher } = version.loaded;
    const wanted = requestedOutputs(request, model.outputs);
    const spec = { name: INPUT_NAME, width: model.width, maxRows: this.options.maxRows };
    const { bytes, rows, raw } = decodeRows(request, spec);
    active.enter();
    batcher.submit(bytes, rows, (error, results) => {
      try {
        if (!results) throw error;
        respond(null, responseOf(asked, version, encodeOutputs(results, wanted, raw)));
        this.meter(active, version).observe(status.OK, (performance.now() - startedAt) / 1_000);
      } catch (failure) {
        this.recover(asked, version, failure);
      } finally {
        active.leave();
      }
    });
  }

  /** A canary is never the reason that somebody gets no answer, unless it was asked for by its number. */
  private recover(asked: Asked, version: ServedVersion, failure: unknown): void {
    const { request, respond, active, startedAt } = asked;
    const { endpoint } = active.deployment;
    this.options.metrics.versionFailed(endpoint, version.number, true);
    if (version === active.champion || request.modelVersion !== '') {
      respond(this.statusOf(failure, active, version, startedAt));
      return;
    }
    this.options.log.error(
      { err: failure, endpoint, version: version.number },
      'the canary failed, the champion answers',
    );
    try {
      this.infer(asked, active.champion);
    } catch (error) {
      respond(this.statusOf(error, active, active.champion, startedAt));
    }
  }

  private statusOf(
    error: unknown,
    active: ActiveDeployment | undefined,
    version: ServedVersion | undefined,
    startedAt: number,
  ): ReturnType<typeof statusOf> {
    if (!(error instanceof DomainError)) this.options.log.error({ err: error }, 'ModelInfer failed');
    const answer = statusOf(error);
    const seconds = (performance.now() - startedAt) / 1_000;
    // Names that nobody deployed are no labels: callers could make any number of them.
    if (active) this.meter(active, version).observe(answer.code, seconds);
    else this.options.metrics.meter('open_inference', 'unknown', '').observe(answer.code, seconds);
    return answer;
  }

  private meter(active: ActiveDeployment, version: ServedVersion | undefined): RequestMeter {
    if (!version) return this.options.metrics.meter('open_inference', active.deployment.endpoint, '');
    let meter = this.meters.get(version);
    if (!meter) {
      meter = this.options.metrics.meter('open_inference', active.deployment.endpoint, String(version.number));
      this.meters.set(version, meter);
    }
    return meter;
  }
}

function versionOf(active: ActiveDeployment, number: string): ServedVersion {
  const version = active.version(number);
  if (version) return version;
  const loaded = active.versions.map((one) => one.number).join(', ');
  const message = `endpoint "${active.deployment.endpoint}" has no loaded version "${number.slice(0, 100)}": loaded are ${loaded}`;
  throw new DomainError('not-found', 'unknown_version', message);
}

function responseOf({ request, active }: Asked, version: ServedVersion, encoded: EncodedOutputs): ModelInferResponse {
  return {
    modelName: active.deployment.endpoint,
    modelVersion: String(version.number),
    id: request.id,
    parameters: {},
    outputs: encoded.outputs,
    rawOutputContents: encoded.rawOutputContents,
  };
}

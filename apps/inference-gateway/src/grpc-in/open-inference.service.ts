// Open Inference Protocol over gRPC, with Triton's extensions: the caller brings the tensors. A "model" is an endpoint; its
// versions are those that are loaded.
import { performance } from 'node:perf_hooks';
import type { handleUnaryCall, sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import {
  GRPCInferenceServiceService,
  type GRPCInferenceServiceServer,
  type ModelInferRequest,
  type ModelInferResponse,
} from '@headrace/contracts/inference';
import { grpcService, statusOf, type Access, type GrpcService } from '@headrace/grpc';
import { parameterOf, readMessage, type TensorRequest } from '../open-inference/tensor-request';
import type { DescribeModels } from '../use-cases/describe-models';
import type { InferTensors, TensorAnswer, TensorCall, TensorObserver } from '../use-cases/infer-tensors';
import type { CallerThrottle } from './caller-throttle';
import { streamInfer } from './model-stream';
import { responseTo } from './response';

export interface OpenInferenceOptions {
  readonly inferTensors: InferTensors;
  readonly describe: DescribeModels;
  readonly observers: { readonly unary: TensorObserver; readonly stream: TensorObserver };
  /** Who may ask models and read about them. */
  readonly access: Access;
  readonly throttle: CallerThrottle;
}

export function openInferenceService({
  inferTensors,
  describe,
  observers,
  access,
  throttle,
}: OpenInferenceOptions): GrpcService {
  const modelInfer: handleUnaryCall<ModelInferRequest, ModelInferResponse> = (call, respond) =>
    inferTensors.infer(new UnaryCall(call, respond, throttle), observers.unary);
  return {
    ...grpcService<GRPCInferenceServiceServer>(
      GRPCInferenceServiceService,
      {
        serverLive: () => Promise.resolve({ live: true }),
        serverReady: () => Promise.resolve({ ready: describe.serverReady() }),
        serverMetadata: () => Promise.resolve(describe.server()),
        modelReady: async ({ name, version }) => ({ ready: describe.ready(name, version) }),
        modelMetadata: async ({ name, version }) => describe.metadata(name, version),
        modelConfig: async ({ name, version }) => ({ config: describe.config(name, version) }),
        modelStatistics: async ({ name, version }) => ({ modelStats: describe.modelStatistics(name, version) }),
        repositoryIndex: async ({ ready }) => ({ models: describe.index(ready) }),
        repositoryModelLoad: async ({ modelName, parameters }) => {
          await describe.load(modelName, Object.keys(parameters));
          return {};
        },
        repositoryModelUnload: async ({ modelName }) => describe.unload(modelName),
        // Mounted raw below.
        modelInfer: () => Promise.reject(new Error('not mounted')),
      },
      {
        // Probes bring no token.
        serverLive: 'public',
        serverReady: 'public',
        serverMetadata: access,
        modelReady: access,
        modelMetadata: access,
        modelConfig: access,
        modelStatistics: access,
        repositoryIndex: access,
        repositoryModelLoad: ['operator'],
        repositoryModelUnload: ['operator'],
        modelInfer: access,
      },
    ),
    raw: { modelInfer, modelStreamInfer: streamInfer(inferTensors, observers.stream) },
    rawAccess: access,
    admission: { modelInfer: throttle.admission('open_inference') },
  };
}

class UnaryCall implements TensorCall {
  readonly model: string;
  readonly version: string;

  readonly deadlineMs: number;
  private readonly message: ModelInferRequest;

  constructor(
    readonly caller: ServerUnaryCall<ModelInferRequest, ModelInferResponse>,
    private readonly respond: sendUnaryData<ModelInferResponse>,
    private readonly throttle: CallerThrottle,
  ) {
    this.message = caller.request;
    this.model = this.message.modelName;
    this.version = this.message.modelVersion;
    const deadline = caller.getDeadline();
    this.deadlineMs = deadline === Infinity ? Infinity : performance.now() + Number(deadline) - Date.now();
  }

  parameter(name: string): string | undefined {
    return parameterOf(this.message, name);
  }

  request(): TensorRequest {
    return readMessage(this.message);
  }

  answer(answer: TensorAnswer): void {
    this.respond(null, responseTo(this.message, answer));
  }

  fail(error: unknown): void {
    this.throttle.failed(error, () => this.caller.getPeer());
    this.respond(statusOf(error));
  }
}

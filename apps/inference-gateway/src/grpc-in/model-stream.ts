// ModelStreamInfer as Triton's clients call it: each answer as soon as it is there, faults of one request told by its own
// message, the stream goes on.
import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js';
import type { ModelInferRequest, ModelInferResponse, ModelStreamInferResponse } from '@headrace/contracts/inference';
import { statusOf } from '@headrace/grpc';
import { parameterOf, readMessage, type TensorRequest } from '../open-inference/tensor-request';
import type { InferTensors, TensorAnswer, TensorCall, TensorObserver } from '../use-cases/infer-tensors';
import { responseTo } from './response';

/** Requests of one stream that may wait for their answers; more are not read until some are answered. */
const MAX_UNANSWERED = 256;

type Call = ServerDuplexStream<ModelInferRequest, ModelStreamInferResponse>;

export function streamInfer(
  inferTensors: InferTensors,
  observer: TensorObserver,
): handleBidiStreamingCall<ModelInferRequest, ModelStreamInferResponse> {
  return (call) => {
    const stream = new ModelStream(call);
    call.on('data', (request) => inferTensors.infer(stream.begin(request), observer));
    call.on('end', () => stream.ended());
    // The caller has gone: what it still waits for is answered to nobody.
    call.on('cancelled', () => stream.abandon());
    call.on('error', () => stream.abandon());
  };
}

class ModelStream {
  private unanswered = 0;
  private state: 'open' | 'ended' | 'abandoned' = 'open';
  /** The caller does not read as fast as it is answered. */
  private clogged = false;

  constructor(private readonly call: Call) {
    call.on('drain', () => {
      this.clogged = false;
      this.flow();
    });
  }

  begin(request: ModelInferRequest): StreamedCall {
    this.unanswered += 1;
    this.flow();
    return new StreamedCall(request, this);
  }

  send(response: ModelStreamInferResponse): void {
    this.unanswered -= 1;
    if (this.state === 'abandoned') return;
    if (!this.call.write(response)) this.clogged = true;
    if (this.state === 'ended' && this.unanswered === 0) this.call.end();
    else this.flow();
  }

  ended(): void {
    if (this.state !== 'open') return;
    this.state = 'ended';
    if (this.unanswered === 0) this.call.end();
  }

  abandon(): void {
    this.state = 'abandoned';
  }

  private flow(): void {
    const full = this.clogged || this.unanswered >= MAX_UNANSWERED;
    if (full && !this.call.isPaused()) this.call.pause();
    else if (!full && this.call.isPaused()) this.call.resume();
  }
}

class StreamedCall implements TensorCall {
  readonly model: string;
  readonly version: string;

  constructor(
    private readonly message: ModelInferRequest,
    private readonly stream: ModelStream,
  ) {
    this.model = message.modelName;
    this.version = message.modelVersion;
  }

  parameter(name: string): string | undefined {
    return parameterOf(this.message, name);
  }

  request(): TensorRequest {
    return readMessage(this.message);
  }

  answer(answer: TensorAnswer): void {
    this.send('', responseTo(this.message, answer));
  }

  fail(error: unknown): void {
    const { modelName, modelVersion, id } = this.message;
    this.send(statusOf(error).details, {
      modelName,
      modelVersion,
      id,
      parameters: {},
      outputs: [],
      rawOutputContents: [],
    });
  }

  /** One answer for each request, so each is the final one: what clients of decoupled models wait for. */
  private send(errorMessage: string, response: ModelInferResponse): void {
    const final = { triton_final_response: { parameterChoice: { $case: 'boolParam' as const, value: true } } };
    this.stream.send({
      errorMessage,
      inferResponse: { ...response, parameters: { ...response.parameters, ...final } },
    });
  }
}

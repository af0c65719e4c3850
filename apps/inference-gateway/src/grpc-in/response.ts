import type { ModelInferRequest, ModelInferResponse } from '@headrace/contracts/inference';
import { encodeOutputs } from '../open-inference/write-outputs';
import type { TensorAnswer } from '../use-cases/infer-tensors';

/** The answer comes as the request came: raw or typed. */
export function responseTo(request: ModelInferRequest, answer: TensorAnswer): ModelInferResponse {
  const raw = request.rawInputContents.length > 0;
  const { outputs, rawOutputContents } = encodeOutputs(answer.outputs, answer.wanted, raw);
  return {
    modelName: answer.endpoint,
    modelVersion: String(answer.version),
    id: request.id,
    parameters: {},
    outputs,
    rawOutputContents,
  };
}

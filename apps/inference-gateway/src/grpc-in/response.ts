import type { InferParameter, ModelInferRequest, ModelInferResponse } from '@headrace/contracts/inference';
import type { Breach } from '../domain/guardrails';
import { guardrailNotes } from '../open-inference/guardrail-notes';
import { encodeOutputs } from '../open-inference/write-outputs';
import type { TensorAnswer } from '../use-cases/infer-tensors';

function guardrailParameters(guardrails: readonly Breach[]): Record<string, InferParameter> {
  const parameters: Record<string, InferParameter> = {};
  for (const [name, value] of guardrailNotes(guardrails)) {
    parameters[name] = { parameterChoice: { $case: 'stringParam', value } };
  }
  return parameters;
}

/** The answer comes as the request came: raw or typed. */
export function responseTo(request: ModelInferRequest, answer: TensorAnswer): ModelInferResponse {
  const raw = request.rawInputContents.length > 0;
  const { outputs, rawOutputContents } = encodeOutputs(answer.outputs, answer.wanted, raw);
  return {
    modelName: answer.endpoint,
    modelVersion: String(answer.version),
    id: request.id,
    parameters: guardrailParameters(answer.guardrails),
    outputs,
    rawOutputContents,
  };
}

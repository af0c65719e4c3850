// One request of the Open Inference Protocol, however it travelled: the same checks and the same decoding for gRPC and REST.
import { DomainError } from '@headrace/contracts';
import type { InferParameter, InferTensorContents, ModelInferRequest } from '@headrace/contracts/inference';

/** Elements of one input, as its sender wrote them. */
export type Payload =
  /** Little-endian, row-major; BYTES: each element after its length (uint32). */
  | { readonly kind: 'raw'; readonly bytes: Uint8Array }
  | { readonly kind: 'typed'; readonly contents: InferTensorContents | undefined }
  /** Parsed JSON: an array, flat or nested. */
  | { readonly kind: 'json'; readonly data: readonly unknown[] };

export interface InputTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly (bigint | number)[];
  readonly payload: Payload;
}

export interface TensorRequest {
  readonly inputs: readonly InputTensor[];
  /** Names of outputs in the asked order; none: all. */
  readonly outputs: readonly string[];
}

/** Throws an `invalid` DomainError when raw contents and inputs do not belong together. */
export function readMessage(request: ModelInferRequest): TensorRequest {
  const { inputs, outputs, rawInputContents } = request;
  const raw = rawInputContents.length > 0;
  if (raw && rawInputContents.length !== inputs.length) {
    const got = `expected one of raw_input_contents for each input (${inputs.length}), got ${rawInputContents.length}`;
    throw new DomainError('invalid', 'bad_tensor', got);
  }
  refuseParameters('the request', request.parameters);
  return {
    inputs: inputs.map(({ name, datatype, shape, contents, parameters }, index): InputTensor => {
      refuseParameters(`input ${quoted(name)}`, parameters);
      const bytes = raw ? rawInputContents[index] : undefined;
      if (!bytes) return { name, datatype, shape, payload: { kind: 'typed', contents } };
      if (contents && filledFields(contents).length > 0) {
        throw tensorFault(name, 'expected either contents or raw_input_contents, got both');
      }
      return { name, datatype, shape, payload: { kind: 'raw', bytes } };
    }),
    outputs: outputs.map(({ name, parameters }) => {
      refuseParameters(`output ${quoted(name)}`, parameters);
      return name;
    }),
  };
}

/** A parameter of the request as text; undefined: it has none of this name. */
export function parameterOf({ parameters }: ModelInferRequest, name: string): string | undefined {
  const choice = Object.hasOwn(parameters, name) ? parameters[name]?.parameterChoice : undefined;
  return choice === undefined ? undefined : String(choice.value);
}

/** What would change the answer and is not done. Hints (priority, timeout, binary_data_size …) are left alone. */
const REFUSED_PARAMETERS: Readonly<Record<string, string>> = {
  shared_memory_region: 'shared memory is not offered, send the tensor in the request',
  classification: 'classes are not ranked here, ask for the output itself',
};

export function refuseParameters(
  of: string,
  parameters: Readonly<Record<string, InferParameter | boolean | number | string>>,
): void {
  for (const name in parameters) {
    const reason = Object.hasOwn(REFUSED_PARAMETERS, name) ? REFUSED_PARAMETERS[name] : undefined;
    if (reason !== undefined) throw new DomainError('invalid', 'bad_parameter', `${of}: parameter ${name}: ${reason}`);
  }
}

/** Names of the fields of typed contents that hold something. */
export function filledFields(contents: InferTensorContents): string[] {
  const lengths = {
    bool_contents: contents.boolContents.length,
    int_contents: contents.intContents.length,
    int64_contents: contents.int64Contents.length,
    uint_contents: contents.uintContents.length,
    uint64_contents: contents.uint64Contents.length,
    fp32_contents: contents.fp32Contents.length,
    fp64_contents: contents.fp64Contents.length,
    bytes_contents: contents.bytesContents.length,
  };
  return Object.entries(lengths).flatMap(([name, length]) => (length > 0 ? [name] : []));
}

export function tensorFault(input: string, message: string): DomainError {
  return new DomainError('invalid', 'bad_tensor', `input ${quoted(input)}: ${message}`);
}

/** What a caller sent, short enough to send back. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

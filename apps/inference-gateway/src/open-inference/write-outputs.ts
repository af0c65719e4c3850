// What a model gave, as tensors of the Open Inference Protocol.
import { DomainError } from '@headrace/contracts';
import type { InferTensorContents, ModelInferResponse_InferOutputTensor } from '@headrace/contracts/inference';
import {
  isStrings,
  type Datatype,
  type Outputs,
  type OutputSpec,
  type RowTensor,
  type TensorData,
} from '../models/tensors';
import { encodeText, joinElements } from './bytes-elements';
import { bytesOf } from './elements';
import { quoted, type TensorRequest } from './tensor-request';

/** The outputs that were asked for, in the asked order; none named: all. Throws `invalid`. */
export function requestedOutputs({ outputs }: TensorRequest, available: readonly OutputSpec[]): readonly OutputSpec[] {
  if (outputs.length === 0) return available;
  const chosen = new Set<OutputSpec>();
  for (const name of outputs) {
    const spec = available.find((output) => output.name === name);
    if (!spec) {
      const names = available.map((output) => `"${output.name}"`).join(', ');
      const message = `output ${quoted(name)} is unknown: expected one of ${names}`;
      throw new DomainError('invalid', 'unknown_output', message);
    }
    if (chosen.has(spec)) throw new DomainError('invalid', 'repeated_output', `output "${name}" is asked for twice`);
    chosen.add(spec);
  }
  return [...chosen];
}

export function outputOf(results: Outputs, name: string): RowTensor {
  const tensor = results[name];
  if (!tensor) throw new Error(`the model gave no output "${name}"`);
  return tensor;
}

/** Little-endian, row-major. A view where the data are numbers. */
export function rawContents(data: TensorData): Uint8Array {
  return isStrings(data) ? joinElements(data) : bytesOf(data);
}

export interface EncodedOutputs {
  readonly outputs: ModelInferResponse_InferOutputTensor[];
  readonly rawOutputContents: Uint8Array[];
}

/** `raw` as the request came; typed contents have no place for half precision, so an answer with it is raw. */
export function encodeOutputs(results: Outputs, wanted: readonly OutputSpec[], raw: boolean): EncodedOutputs {
  const asRaw = raw || wanted.some(({ datatype }) => datatype === 'FP16');
  const outputs: ModelInferResponse_InferOutputTensor[] = [];
  const rawOutputContents: Uint8Array[] = [];
  for (const { name, datatype } of wanted) {
    const { data, dims } = outputOf(results, name);
    const contents = asRaw ? undefined : typedContents(datatype, data);
    outputs.push({ name, datatype, shape: dims.map(BigInt), parameters: {}, contents });
    if (asRaw) rawOutputContents.push(rawContents(data));
  }
  return { outputs, rawOutputContents };
}

function typedContents(datatype: Datatype, data: TensorData): InferTensorContents {
  const contents: InferTensorContents = {
    boolContents: [],
    intContents: [],
    int64Contents: [],
    uintContents: [],
    uint64Contents: [],
    fp32Contents: [],
    fp64Contents: [],
    bytesContents: [],
  };
  if (isStrings(data)) return { ...contents, bytesContents: data.map(encodeText) };
  if (data instanceof BigInt64Array) return { ...contents, int64Contents: [...data] };
  if (data instanceof BigUint64Array) return { ...contents, uint64Contents: [...data] };
  switch (datatype) {
    case 'FP32':
      return { ...contents, fp32Contents: [...data] };
    case 'FP64':
      return { ...contents, fp64Contents: [...data] };
    case 'BOOL':
      return { ...contents, boolContents: Array.from(data, (value) => value !== 0) };
    case 'INT8':
    case 'INT16':
    case 'INT32':
      return { ...contents, intContents: [...data] };
    case 'UINT8':
    case 'UINT16':
    case 'UINT32':
      return { ...contents, uintContents: [...data] };
    default:
      throw new TypeError(`${datatype} has no typed contents`);
  }
}

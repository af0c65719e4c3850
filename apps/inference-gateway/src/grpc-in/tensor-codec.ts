// Tensors of the Open Inference Protocol to rows of features and back. Raw contents are little-endian, as this process is
// on every platform that Node supports for servers.
import { DomainError } from '@headrace/contracts';
import type {
  InferTensorContents,
  ModelInferRequest,
  ModelInferRequest_InferInputTensor,
  ModelInferResponse_InferOutputTensor,
} from '@headrace/contracts/inference';
import type { Datatype, Outputs, OutputSpec, TensorData } from '../models/tensors';

/** What the model takes: FP32 [N, width]. */
export interface InputSpec {
  readonly name: string;
  readonly width: number;
  readonly maxRows: number;
}

export interface DecodedRows {
  /** rows × width float32 values. A view of the request when it came raw. */
  readonly bytes: Uint8Array;
  readonly rows: number;
  /** The answer comes as the request came. */
  readonly raw: boolean;
}

const DATATYPE = 'FP32';

/** Throws an `invalid` DomainError that names the tensor, what was expected and what came. NaN is a missing value. */
export function decodeRows(request: ModelInferRequest, spec: InputSpec): DecodedRows {
  const tensor = onlyInput(request.inputs, spec);
  if (tensor.datatype !== DATATYPE) {
    throw fault(spec.name, `expected datatype ${DATATYPE}, got ${JSON.stringify(shown(tensor.datatype))}`);
  }
  const rows = rowsOf(tensor.shape, spec);
  const raw = request.rawInputContents.length > 0;
  const bytes = raw ? rawBytes(request, tensor, rows, spec) : typedBytes(tensor.contents, rows, spec);
  return { bytes, rows, raw };
}

function onlyInput(
  inputs: readonly ModelInferRequest_InferInputTensor[],
  spec: InputSpec,
): ModelInferRequest_InferInputTensor {
  const unknown = inputs.find(({ name }) => name !== spec.name);
  if (unknown) {
    const takes = `the model takes one input, "${spec.name}" ${DATATYPE} [N, ${spec.width}]`;
    throw new DomainError(
      'invalid',
      'unknown_input',
      `input ${JSON.stringify(shown(unknown.name))} is unknown: ${takes}`,
    );
  }
  const [tensor, ...more] = inputs;
  if (!tensor) throw fault(spec.name, `it is missing; expected ${DATATYPE} [N, ${spec.width}]`);
  if (more.length > 0) throw fault(spec.name, `expected once, got ${inputs.length} times`);
  return tensor;
}

function rowsOf(shape: readonly bigint[], { name, width, maxRows }: InputSpec): number {
  const [rows = 0n, columns = 0n] = shape;
  if (shape.length !== 2 || columns !== BigInt(width) || rows < 1n) {
    const got = shape.slice(0, 10).join(', ');
    throw fault(
      name,
      `expected shape [N, ${width}] with N of at least 1, got [${got}${shape.length > 10 ? ', …' : ''}]`,
    );
  }
  if (rows > BigInt(maxRows)) throw fault(name, `expected at most ${maxRows} rows in one request, got ${rows}`);
  return Number(rows);
}

function rawBytes(
  { inputs, rawInputContents }: ModelInferRequest,
  { contents }: ModelInferRequest_InferInputTensor,
  rows: number,
  { name, width }: InputSpec,
): Uint8Array {
  if (contents && filledFields(contents).length > 0) {
    throw fault(name, 'expected either contents or raw_input_contents, got both');
  }
  const [bytes, ...more] = rawInputContents;
  if (!bytes || more.length > 0) {
    throw fault(
      name,
      `expected one of raw_input_contents for each input (${inputs.length}), got ${rawInputContents.length}`,
    );
  }
  const expected = rows * width * 4;
  if (bytes.byteLength !== expected) {
    throw fault(name, `expected ${expected} bytes for ${DATATYPE} [${rows}, ${width}], got ${bytes.byteLength}`);
  }
  return bytes;
}

function typedBytes(contents: InferTensorContents | undefined, rows: number, { name, width }: InputSpec): Uint8Array {
  const filled = contents ? filledFields(contents) : [];
  const other = filled.find((field) => field !== 'fp32_contents');
  if (other !== undefined) throw fault(name, `expected fp32_contents for ${DATATYPE}, got ${other}`);
  const values = contents?.fp32Contents ?? [];
  if (values.length !== rows * width) {
    throw fault(name, `expected ${rows * width} values for ${DATATYPE} [${rows}, ${width}], got ${values.length}`);
  }
  return new Uint8Array(Float32Array.from(values).buffer);
}

function filledFields(contents: InferTensorContents): string[] {
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

/** The outputs that were asked for, in the asked order; none named: all. */
export function requestedOutputs(request: ModelInferRequest, available: readonly OutputSpec[]): readonly OutputSpec[] {
  if (request.outputs.length === 0) return available;
  const chosen = new Set<OutputSpec>();
  for (const { name } of request.outputs) {
    const spec = available.find((output) => output.name === name);
    if (!spec) {
      const names = available.map((output) => `"${output.name}"`).join(', ');
      const asked = JSON.stringify(shown(name));
      throw new DomainError('invalid', 'unknown_output', `output ${asked} is unknown: expected one of ${names}`);
    }
    if (chosen.has(spec)) throw new DomainError('invalid', 'repeated_output', `output "${name}" is asked for twice`);
    chosen.add(spec);
  }
  return [...chosen];
}

export interface EncodedOutputs {
  readonly outputs: ModelInferResponse_InferOutputTensor[];
  readonly rawOutputContents: Uint8Array[];
}

export function encodeOutputs(results: Outputs, wanted: readonly OutputSpec[], raw: boolean): EncodedOutputs {
  const outputs: ModelInferResponse_InferOutputTensor[] = [];
  const rawOutputContents: Uint8Array[] = [];
  for (const { name, datatype } of wanted) {
    const tensor = results[name];
    if (!tensor) throw new Error(`the model gave no output "${name}"`);
    const { data, dims } = tensor;
    outputs.push({
      name,
      datatype,
      shape: dims.map(BigInt),
      parameters: {},
      contents: raw ? undefined : typedContents(datatype, data),
    });
    if (raw) rawOutputContents.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
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
  if (data instanceof BigInt64Array) return { ...contents, int64Contents: [...data] };
  switch (datatype) {
    case 'FP32':
      return { ...contents, fp32Contents: [...data] };
    case 'FP64':
      return { ...contents, fp64Contents: [...data] };
    case 'BOOL':
      return { ...contents, boolContents: Array.from(data, (value) => value !== 0) };
    case 'INT32':
    case 'INT64':
      return { ...contents, intContents: [...data] };
  }
}

function fault(input: string, message: string): DomainError {
  return new DomainError('invalid', 'bad_tensor', `input "${input}": ${message}`);
}

/** What a caller sent, short enough to send back. */
function shown(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

// The body of `…/infer`: JSON, and behind it the tensors that it says are binary, in the order of the inputs.
import { DomainError } from '@headrace/contracts';
import { HttpFault } from './errors';
import {
  quoted,
  refuseParameters,
  tensorFault,
  type InputTensor,
  type TensorRequest,
} from '../open-inference/tensor-request';

export interface RestInference {
  readonly id: string;
  /** Of the request. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly request: TensorRequest;
  /** Whether an output is to come as binary data. */
  isBinary(output: string): boolean;
}

/** Longest JSON: it is parsed in one go, and everybody waits for that. Tensors that are larger travel as binary data. */
export const MAX_JSON_BYTES = 4 * 1_048_576;

/** `jsonBytes`: from the header Inference-Header-Content-Length; undefined: all of it is JSON. Throws `invalid` or an HttpFault (413). */
export function readInfer(body: Buffer, jsonBytes: number | undefined): RestInference {
  const length = jsonBytes ?? body.byteLength;
  if (length > body.byteLength) {
    throw invalid(`Inference-Header-Content-Length is ${length}, but the body has ${body.byteLength} bytes`);
  }
  const message = asObject(parseJson(body.subarray(0, length)), 'the body');
  const parameters = parametersOf(message, 'the request');
  const binary = new BinaryTail(body.subarray(length));
  const inputs = listOf(message, 'inputs').map((value, index) => readInput(value, index, binary));
  binary.checkEnd();
  const byDefault = parameters['binary_data_output'] === true;
  const asked = new Map(
    listOf(message, 'outputs').map((value, index) => {
      const output = asObject(value, `outputs[${index}]`);
      const name = textOf(output, 'name', `outputs[${index}]`);
      const own = parametersOf(output, `output ${quoted(name)}`)['binary_data'];
      return [name, typeof own === 'boolean' ? own : byDefault] as const;
    }),
  );
  return {
    id: message['id'] === undefined ? '' : textOf(message, 'id', 'the request'),
    parameters,
    request: { inputs, outputs: listOf(message, 'outputs').map((output) => (output as { name: string }).name) },
    isBinary: (output) => asked.get(output) ?? byDefault,
  };
}

class BinaryTail {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  take(size: number, input: string): Uint8Array {
    const left = this.bytes.byteLength - this.at;
    if (size > left) throw tensorFault(input, `binary_data_size is ${size}, but ${left} bytes of the body are left`);
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  checkEnd(): void {
    const left = this.bytes.byteLength - this.at;
    if (left > 0)
      throw invalid(`${left} bytes of the body belong to no input: binary_data_size of the inputs is too small`);
  }
}

function readInput(value: unknown, index: number, binary: BinaryTail): InputTensor {
  const where = `inputs[${index}]`;
  const input = asObject(value, where);
  const name = textOf(input, 'name', where);
  const of = `input ${quoted(name)}`;
  const datatype = textOf(input, 'datatype', of);
  const { shape, data } = input;
  if (!Array.isArray(shape) || !shape.every((dimension) => Number.isSafeInteger(dimension))) {
    throw tensorFault(name, 'expected "shape" to be a list of integers');
  }
  const size = parametersOf(input, of)['binary_data_size'];
  if (size !== undefined) {
    if (data !== undefined) throw tensorFault(name, 'expected either data or binary_data_size, got both');
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw tensorFault(name, 'expected "binary_data_size" to be a number of bytes');
    }
    return { name, datatype, shape, payload: { kind: 'raw', bytes: binary.take(size, name) } };
  }
  if (!Array.isArray(data)) throw tensorFault(name, 'expected "data" to be a list, or "binary_data_size"');
  return { name, datatype, shape, payload: { kind: 'json', data } };
}

const NOT_A_NUMBER = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g;

/** JSON, with the NaN and Infinity that Python's and rapidjson's writers put into it. Throws `invalid` or an HttpFault (413). */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.byteLength > MAX_JSON_BYTES) {
    const message = `${bytes.byteLength} bytes of JSON: at most ${MAX_JSON_BYTES}, send large tensors as binary data`;
    throw new HttpFault(413, message);
  }
  const text = bytes.toString('utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    const repaired = text.replace(NOT_A_NUMBER, (word) => (word.startsWith('"') ? word : `"${word}"`));
    if (repaired === text)
      throw invalid(`the body is not JSON: ${error instanceof Error ? error.message : String(error)}`);
    return parseRepaired(repaired);
  }
}

function parseRepaired(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(`the body is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

type Fields = Readonly<Record<string, unknown>>;

function asObject(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw invalid(`${what}: expected an object`);
}

function listOf(object: Fields, name: string): readonly unknown[] {
  const value = object[name];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(`"${name}": expected a list`);
  return value;
}

function textOf(object: Fields, name: string, where: string): string {
  const value = object[name];
  if (typeof value === 'string') return value;
  throw invalid(`${where}: expected "${name}" to be a string`);
}

function parametersOf(object: Fields, of: string): Fields {
  const value = object['parameters'];
  if (value === undefined || value === null) return {};
  const parameters = asObject(value, `${of}: "parameters"`);
  refuseParameters(of, parameters as Readonly<Record<string, boolean | number | string>>);
  return parameters;
}

function invalid(message: string): DomainError {
  return new DomainError('invalid', 'bad_request', message);
}

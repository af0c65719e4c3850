import type { InferTensorContents, ModelInferRequest } from '@headrace/contracts/inference';
import { DomainError } from '@headrace/contracts';
import { anInferRequest } from '../../test/builders';
import type { OutputSpec, Outputs } from '../models/tensors';
import { decodeRows, encodeOutputs, requestedOutputs } from './tensor-codec';

const spec = { name: 'features', width: 3, maxRows: 100 };
const empty: InferTensorContents = {
  boolContents: [],
  intContents: [],
  int64Contents: [],
  uintContents: [],
  uint64Contents: [],
  fp32Contents: [],
  fp64Contents: [],
  bytesContents: [],
};

type Input = ModelInferRequest['inputs'][number];

function withInput(overrides: Partial<Input>, others: Partial<ModelInferRequest> = {}): ModelInferRequest {
  const request = anInferRequest([1, 2, 3], others);
  const [input] = request.inputs;
  if (!input) throw new Error('the builder gives one input');
  return { ...request, inputs: [{ ...input, ...overrides }] };
}

function typed(contents: Partial<InferTensorContents>, shape = [1n, 3n]): ModelInferRequest {
  return withInput({ contents: { ...empty, ...contents }, shape }, { rawInputContents: [] });
}

function valuesOf(bytes: Uint8Array): number[] {
  return [...new Float32Array(bytes.slice().buffer)];
}

describe('decoding the input tensor', () => {
  it('takes raw contents as they lie in the request', () => {
    const request = anInferRequest([1, 2, 3]);
    const rows = decodeRows(request, spec);
    expect(rows).toMatchObject({ rows: 1, raw: true });
    expect(rows.bytes).toBe(request.rawInputContents[0]);
  });

  it('takes typed contents', () => {
    const rows = decodeRows(typed({ fp32Contents: [1, 2, 3, 4, 5, 6] }, [2n, 3n]), spec);
    expect(rows).toMatchObject({ rows: 2, raw: false });
    expect(valuesOf(rows.bytes)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('takes NaN as a missing value', () => {
    expect(valuesOf(decodeRows(typed({ fp32Contents: [1, NaN, 3] }), spec).bytes)).toEqual([1, NaN, 3]);
  });

  it.each<[string, ModelInferRequest, string]>([
    ['no input', { ...anInferRequest([1]), inputs: [] }, 'input "features": it is missing; expected FP32 [N, 3]'],
    [
      'an unknown input',
      withInput({ name: 'feature' }),
      'input "feature" is unknown: the model takes one input, "features" FP32 [N, 3]',
    ],
    [
      'the input twice',
      { ...anInferRequest([1, 2, 3]), inputs: [...anInferRequest([1]).inputs, ...anInferRequest([1]).inputs] },
      'input "features": expected once, got 2 times',
    ],
    ['another datatype', withInput({ datatype: 'FP64' }), 'input "features": expected datatype FP32, got "FP64"'],
    ['another rank', withInput({ shape: [3n] }), 'expected shape [N, 3] with N of at least 1, got [3]'],
    ['another width', withInput({ shape: [1n, 4n] }), 'expected shape [N, 3] with N of at least 1, got [1, 4]'],
    ['no rows', withInput({ shape: [0n, 3n] }), 'expected shape [N, 3] with N of at least 1, got [0, 3]'],
    ['negative rows', withInput({ shape: [-1n, 3n] }), 'got [-1, 3]'],
    ['too many rows', withInput({ shape: [101n, 3n] }), 'expected at most 100 rows in one request, got 101'],
    [
      'rows beyond every bound',
      withInput({ shape: [9_223_372_036_854_775_807n, 3n] }),
      'expected at most 100 rows in one request, got 9223372036854775807',
    ],
    ['too few bytes', withInput({ shape: [2n, 3n] }), 'input "features": expected 24 bytes for FP32 [2, 3], got 12'],
    [
      'two raw contents',
      { ...anInferRequest([1, 2, 3]), rawInputContents: [new Uint8Array(12), new Uint8Array(12)] },
      'input "features": expected one of raw_input_contents for each input (1), got 2',
    ],
    [
      'raw and typed contents',
      withInput({ contents: { ...empty, fp32Contents: [1, 2, 3] } }),
      'input "features": expected either contents or raw_input_contents, got both',
    ],
    [
      'contents of another type',
      typed({ fp64Contents: [1, 2, 3] }),
      'input "features": expected fp32_contents for FP32, got fp64_contents',
    ],
    ['too few values', typed({ fp32Contents: [1] }), 'input "features": expected 3 values for FP32 [1, 3], got 1'],
    ['no contents at all', typed({}), 'input "features": expected 3 values for FP32 [1, 3], got 0'],
  ])('refuses %s', (_, request, message) => {
    const decode = (): unknown => decodeRows(request, spec);
    expect(decode).toThrow(DomainError);
    expect(decode).toThrow(message);
  });
});

describe('encoding outputs', () => {
  const available: OutputSpec[] = [
    { name: 'label', datatype: 'INT64', shape: [-1] },
    { name: 'probabilities', datatype: 'FP32', shape: [-1, 2] },
  ];
  const results: Outputs = {
    label: { data: BigInt64Array.from([1n]), dims: [1] },
    probabilities: { data: Float32Array.from([0.25, 0.75]), dims: [1, 2] },
  };

  it('answers raw to a raw request', () => {
    const { outputs, rawOutputContents } = encodeOutputs(results, available, true);
    expect(outputs.map(({ name, datatype, shape, contents }) => ({ name, datatype, shape, contents }))).toEqual([
      { name: 'label', datatype: 'INT64', shape: [1n], contents: undefined },
      { name: 'probabilities', datatype: 'FP32', shape: [1n, 2n], contents: undefined },
    ]);
    expect(rawOutputContents.map((bytes) => bytes.byteLength)).toEqual([8, 8]);
  });

  it('answers typed to a typed request', () => {
    const { outputs, rawOutputContents } = encodeOutputs(results, available, false);
    expect(outputs[0]?.contents?.int64Contents).toEqual([1n]);
    expect(outputs[1]?.contents?.fp32Contents).toEqual([0.25, 0.75]);
    expect(rawOutputContents).toEqual([]);
  });

  it('encodes only the rows of this caller when the run held more', () => {
    const all = Float32Array.from([0, 0, 0.25, 0.75, 0, 0]);
    const part: Outputs = { probabilities: { data: all.subarray(2, 4), dims: [1, 2] } };
    const { rawOutputContents } = encodeOutputs(part, available.slice(1), true);
    expect(valuesOf(rawOutputContents[0] ?? new Uint8Array())).toEqual([0.25, 0.75]);
  });

  it('gives the outputs that were asked for, in that order', () => {
    const asked = (names: string[]): ModelInferRequest =>
      anInferRequest([1], { outputs: names.map((name) => ({ name, parameters: {} })) });
    expect(requestedOutputs(asked([]), available)).toBe(available);
    expect(requestedOutputs(asked(['probabilities']), available)).toEqual(available.slice(1));
    expect(requestedOutputs(asked(['probabilities', 'label']), available)).toEqual([...available].reverse());
    expect(() => requestedOutputs(asked(['score']), available)).toThrow(
      'output "score" is unknown: expected one of "label", "probabilities"',
    );
    expect(() => requestedOutputs(asked(['label', 'label']), available)).toThrow('output "label" is asked for twice');
  });
});

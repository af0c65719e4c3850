import { DomainError } from '@headrace/contracts';
import type { InferTensorContents, ModelInferRequest } from '@headrace/contracts/inference';
import { anInferRequest } from '../../test/builders';
import { unpackRows } from '../models/row-packing';
import { DATATYPES, type Datatype, type PackedRows, type TensorData, type TensorSpec } from '../models/tensors';
import { joinElements } from './bytes-elements';
import { readInputs } from './read-inputs';
import { readMessage, type TensorRequest } from './tensor-request';
import { encodeOutputs, requestedOutputs } from './write-outputs';

const features: TensorSpec = { name: 'features', datatype: 'FP32', shape: [-1, 3] };
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

function typed(contents: Partial<InferTensorContents>, overrides: Partial<Input> = {}): ModelInferRequest {
  return withInput({ contents: { ...empty, ...contents }, ...overrides }, { rawInputContents: [] });
}

function read(request: ModelInferRequest, inputs: readonly TensorSpec[] = [features]): PackedRows {
  return readInputs(readMessage(request), { inputs }, 100);
}

function inJson(data: unknown[], spec: TensorSpec, rows = 1): TensorRequest {
  const shape = [rows, ...spec.shape.slice(1)];
  return {
    inputs: [{ name: spec.name, datatype: spec.datatype, shape, payload: { kind: 'json', data } }],
    outputs: [],
  };
}

function dataOf(packed: PackedRows, spec: TensorSpec): TensorData | undefined {
  return unpackRows([spec], packed)[0];
}

/** Two values of each type, at the ends of its range: as data, as typed contents and in JSON. */
const ofEachType: [Datatype, TensorData, Partial<InferTensorContents> | undefined, unknown[]][] = [
  ['BOOL', Uint8Array.of(1, 0), { boolContents: [true, false] }, [true, false]],
  ['UINT8', Uint8Array.of(0, 255), { uintContents: [0, 255] }, [0, 255]],
  ['UINT16', Uint16Array.of(0, 65_535), { uintContents: [0, 65_535] }, [0, 65_535]],
  ['UINT32', Uint32Array.of(0, 4_294_967_295), { uintContents: [0, 4_294_967_295] }, [0, 4_294_967_295]],
  ['UINT64', BigUint64Array.of(0n, 2n ** 64n - 1n), { uint64Contents: [0n, 2n ** 64n - 1n] }, [0, `${2n ** 64n - 1n}`]],
  ['INT8', Int8Array.of(-128, 127), { intContents: [-128, 127] }, [-128, 127]],
  ['INT16', Int16Array.of(-32_768, 32_767), { intContents: [-32_768, 32_767] }, [-32_768, 32_767]],
  [
    'INT32',
    Int32Array.of(-(2 ** 31), 2 ** 31 - 1),
    { intContents: [-(2 ** 31), 2 ** 31 - 1] },
    [-(2 ** 31), 2 ** 31 - 1],
  ],
  ['INT64', BigInt64Array.of(-(2n ** 63n), 7n), { int64Contents: [-(2n ** 63n), 7n] }, [`${-(2n ** 63n)}`, 7]],
  ['FP16', Uint16Array.of(0x3c00, 0xfbff), undefined, [1, -65_504]],
  ['FP32', Float32Array.of(0.5, NaN), { fp32Contents: [0.5, NaN] }, [0.5, null]],
  ['FP64', Float64Array.of(0.1, -Infinity), { fp64Contents: [0.1, -Infinity] }, [0.1, '-Infinity']],
  ['BYTES', ['', 'Zürich'], { bytesContents: [Buffer.from(''), Buffer.from('Zürich')] }, ['', 'Zürich']],
];

function rawOf(data: TensorData): Uint8Array {
  if (Array.isArray(data)) return joinElements(data as string[]);
  const { buffer, byteOffset, byteLength } = data as Uint8Array;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

describe('reading a tensor', () => {
  it.each(ofEachType)('takes %s raw, typed and as JSON', (datatype, data, contents, json) => {
    const spec: TensorSpec = { name: 'x', datatype, shape: [-1, 1] };
    const input = { name: 'x', datatype, shape: [2n, 1n] };
    expect(dataOf(read(withInput(input, { rawInputContents: [rawOf(data)] }), [spec]), spec)).toEqual(data);
    if (contents) expect(dataOf(read(typed(contents, input), [spec]), spec)).toEqual(data);
    expect(dataOf(readInputs(inJson(json, spec, 2), { inputs: [spec] }, 100), spec)).toEqual(data);
    const nested = json.map((value) => [value]);
    expect(dataOf(readInputs(inJson(nested, spec, 2), { inputs: [spec] }, 100), spec)).toEqual(data);
  });

  it('takes raw contents as they lie in the request', () => {
    const request = anInferRequest([1, 2, 3]);
    expect(read(request).bytes).toBe(request.rawInputContents[0]);
  });

  it('packs several inputs row by row, whatever their order in the request', () => {
    const specs: TensorSpec[] = [
      { name: 'a', datatype: 'INT64', shape: [-1, 2] },
      { name: 'city', datatype: 'BYTES', shape: [-1] },
      { name: 'b', datatype: 'BOOL', shape: [-1] },
      { name: 'state', datatype: 'BYTES', shape: [-1, 1] },
    ];
    const tensor = (
      name: string,
      datatype: string,
      shape: bigint[],
      contents: Partial<InferTensorContents>,
    ): Input => ({
      name,
      datatype,
      shape,
      parameters: {},
      contents: { ...empty, ...contents },
    });
    const texts = (...all: string[]): Partial<InferTensorContents> => ({
      bytesContents: all.map((one) => Buffer.from(one)),
    });
    const request = {
      ...anInferRequest([]),
      rawInputContents: [],
      inputs: [
        tensor('state', 'BYTES', [2n, 1n], texts('GA', 'IL')),
        tensor('b', 'BOOL', [2n], { boolContents: [true, false] }),
        tensor('city', 'BYTES', [2n], texts('Atlanta', 'Chicago')),
        tensor('a', 'INT64', [2n, 2n], { int64Contents: [1n, 2n, 3n, 4n] }),
      ],
    };
    const packed = read(request, specs);
    expect(packed.strings).toEqual(['Atlanta', 'GA', 'Chicago', 'IL']);
    expect(packed.bytes.byteLength).toBe(2 * (2 * 8 + 1));
    expect(unpackRows(specs, packed)).toEqual([
      BigInt64Array.of(1n, 2n, 3n, 4n),
      ['Atlanta', 'Chicago'],
      Uint8Array.of(1, 0),
      ['GA', 'IL'],
    ]);
    const fewer = { ...request, inputs: [...request.inputs.slice(1), tensor('state', 'BYTES', [1n, 1n], texts('GA'))] };
    expect(() => read(fewer, specs)).toThrow('input "state": expected 2 rows as in input "b", got 1');
  });

  it.each<[string, ModelInferRequest, string]>([
    [
      'no input',
      { ...anInferRequest([1]), inputs: [], rawInputContents: [] },
      'input "features": it is missing; expected FP32 [N, 3]',
    ],
    [
      'an unknown input',
      withInput({ name: 'feature' }),
      'input "feature" is unknown: the model takes one input, "features" FP32 [N, 3]',
    ],
    [
      'the input twice',
      {
        ...anInferRequest([1, 2, 3]),
        rawInputContents: [],
        inputs: [...anInferRequest([1]).inputs, ...anInferRequest([1]).inputs],
      },
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
      'expected one of raw_input_contents for each input (1), got 2',
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
    [
      'shared memory',
      withInput({ parameters: { shared_memory_region: { parameterChoice: { $case: 'stringParam', value: 'r' } } } }),
      'input "features": parameter shared_memory_region: shared memory is not offered',
    ],
  ])('refuses %s', (_, request, message) => {
    expect(() => read(request)).toThrow(DomainError);
    expect(() => read(request)).toThrow(message);
  });

  const bytes = (values: number[]): Partial<ModelInferRequest> => ({ rawInputContents: [Uint8Array.from(values)] });
  it.each<[string, Datatype, ModelInferRequest, string]>([
    [
      'integers beyond their type',
      'INT8',
      typed({ intContents: [1, 300] }),
      'element 1: expected a value of INT8, got 300',
    ],
    [
      'typed half precision',
      'FP16',
      typed({ fp32Contents: [1, 2] }),
      'FP16 has no typed contents: expected raw_input_contents',
    ],
    ['bytes that are no booleans', 'BOOL', withInput({}, bytes([1, 2])), 'expected bytes of 0 or 1 for BOOL, got 2'],
    [
      'a cut length',
      'BYTES',
      withInput({}, bytes([4, 0, 0, 0, 1, 1, 1, 1, 1, 0])),
      'the bytes end before the length of element 1',
    ],
    [
      'an element beyond the end',
      'BYTES',
      withInput({}, bytes([9, 0, 0, 0, 1, 0, 0, 0])),
      'element 0 has 9 bytes, 4 are left',
    ],
    [
      'bytes beyond the last element',
      'BYTES',
      withInput({}, bytes([0, 0, 0, 0, 0, 0, 0, 0, 1])),
      '1 bytes are left after 2 elements',
    ],
    [
      'text that is not UTF-8',
      'BYTES',
      withInput({}, bytes([1, 0, 0, 0, 255, 0, 0, 0, 0])),
      'element 0: expected UTF-8 text',
    ],
  ])('refuses %s', (_, datatype, request, message) => {
    const [input] = request.inputs;
    const asked = { ...request, inputs: input ? [{ ...input, name: 'x', datatype, shape: [2n] }] : [] };
    expect(() => read(asked, [{ name: 'x', datatype, shape: [-1] }])).toThrow(`input "x": `);
    expect(() => read(asked, [{ name: 'x', datatype, shape: [-1] }])).toThrow(message);
  });

  it.each<[Datatype, unknown[], string]>([
    ['FP32', [1, 'one'], 'element 1: expected a number, null or "NaN", "Infinity", "-Infinity", got "one"'],
    ['FP32', [1], 'expected 2 values for FP32 [2], got 1'],
    ['FP32', [1, 2, 3, 4], 'expected 2 values for FP32 [2], got more'],
    ['FP32', [[1, 2]], 'expected arrays nested 1 deep at most'],
    ['INT32', [1, 1.5], 'element 1: expected an integer of INT32, got 1.5'],
    ['INT32', [1, 2 ** 40], 'element 1: expected a value of INT32, got 1099511627776'],
    ['INT64', [1, 2 ** 60], 'as a string, since JSON numbers lose digits there'],
    ['UINT64', [1, '-1'], 'element 1: expected an integer of UINT64, got "-1"'],
    ['BOOL', [true, 2], 'element 1: expected true or false, got 2'],
    ['BYTES', ['a', 1], 'element 1: expected a string, got 1'],
    ['BYTES', ['a', 'b\0c'], 'element 1: expected text without NUL characters'],
  ])('refuses %s data that JSON brings as %j', (datatype, json, message) => {
    const spec: TensorSpec = { name: 'x', datatype, shape: [-1] };
    expect(() => readInputs(inJson(json, spec, 2), { inputs: [spec] }, 100)).toThrow(message);
  });
});

describe('writing outputs', () => {
  it.each(ofEachType)('gives %s raw, and typed where the protocol has a field for it', (datatype, data, contents) => {
    const spec: TensorSpec = { name: 'y', datatype, shape: [-1, 1] };
    const results = { y: { data, dims: [2, 1] } };
    const raw = encodeOutputs(results, [spec], true);
    expect(raw.outputs).toMatchObject([{ name: 'y', datatype, shape: [2n, 1n], contents: undefined }]);
    expect(raw.rawOutputContents.map((one) => [...one])).toEqual([[...rawOf(data)]]);
    const answer = encodeOutputs(results, [spec], false);
    if (!contents) expect(answer.rawOutputContents).toEqual(raw.rawOutputContents);
    else {
      const found = answer.outputs[0]?.contents;
      const [field] = Object.keys(contents) as (keyof InferTensorContents)[];
      const texts = (values: Partial<InferTensorContents> | undefined): string[] =>
        ((values?.[field ?? 'fp32Contents'] ?? []) as unknown[]).map((value) =>
          value instanceof Uint8Array ? Buffer.from(value).toString() : String(value),
        );
      expect(texts(found)).toEqual(texts(contents));
      expect(answer.rawOutputContents).toEqual([]);
    }
    expect(DATATYPES[datatype].bytes * 2).toBe(datatype === 'BYTES' ? 0 : rawOf(data).byteLength);
  });

  it('encodes only the rows of this caller when the run held more', () => {
    const all = Float32Array.from([0, 0, 0.25, 0.75, 0, 0]);
    const spec: TensorSpec = { name: 'y', datatype: 'FP32', shape: [-1, 2] };
    const { rawOutputContents } = encodeOutputs({ y: { data: all.subarray(2, 4), dims: [1, 2] } }, [spec], true);
    expect([...(rawOutputContents[0] ?? [])]).toEqual([...rawOf(Float32Array.of(0.25, 0.75))]);
  });

  it('gives the outputs that were asked for, in that order', () => {
    const available: TensorSpec[] = [
      { name: 'label', datatype: 'INT64', shape: [-1] },
      { name: 'probabilities', datatype: 'FP32', shape: [-1, 2] },
    ];
    const asked = (outputs: string[]): TensorRequest => ({ inputs: [], outputs });
    expect(requestedOutputs(asked([]), available)).toBe(available);
    expect(requestedOutputs(asked(['probabilities', 'label']), available)).toEqual([...available].reverse());
    expect(() => requestedOutputs(asked(['score']), available)).toThrow(
      'output "score" is unknown: expected one of "label", "probabilities"',
    );
    expect(() => requestedOutputs(asked(['label', 'label']), available)).toThrow('output "label" is asked for twice');
  });
});

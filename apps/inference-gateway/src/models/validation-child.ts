// Runs in a process of its own, which may crash, hang or swell: loads one model file and runs rows through it. Prints one
// line of JSON (ValidationReport of validation.ts). Arguments: model file, columns of the trainer's input (0: the model has
// another signature, whose dimensions after the first are fixed).
import { readFileSync, writeSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const [path = '', features = '0'] = process.argv.slice(2);
const ROWS = 3;
const TIMED_RUNS = 5;
/** A slow one is not made to prove it so often. */
const TIMED_MS = 1_000;
/** `y = Identity(x)`: loading it takes what the runtime itself takes. */
const TINY_MODEL = 'CAgSADo3ChAKAXgSAXkiCElkZW50aXR5EgFnWg8KAXgSCgoICAESBAoCCAFiDwoBeRIKCggIARIECgIIAUIECgAQDw==';
const BATCH_ROWS = 64;
const SLOW_ROW_MICROS = 5_000;
/** Elements of one row of one input. */
const MAX_ELEMENTS = 16 * 1_048_576;

interface Input {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
}

function describe(values: readonly InferenceSession.ValueMetadata[]): Input[] {
  return values.map((value) =>
    value.isTensor
      ? { name: value.name, type: value.type, shape: value.shape.map((d) => (typeof d === 'number' ? d : -1)) }
      : { name: value.name, type: 'no tensor', shape: [] },
  );
}

/** Dimensions of one row, or undefined when the model cannot be asked by rows: the caller says why. */
function rowShapeOf({ type, shape }: Input, columns: number): readonly number[] | undefined {
  if (type === 'no tensor' || shape[0] !== -1) return undefined;
  const rest = shape.slice(1).map((dimension) => (dimension === -1 && columns > 0 ? columns : dimension));
  const elements = rest.reduce((product, dimension) => product * dimension, 1);
  return rest.every((dimension) => dimension > 0) && elements <= MAX_ELEMENTS ? rest : undefined;
}

function zeros(type: string, dims: readonly number[]): Tensor {
  const count = dims.reduce((product, dimension) => product * dimension, 1);
  switch (type) {
    case 'string':
      return new Tensor('string', new Array<string>(count).fill(''), dims);
    case 'int64':
      return new Tensor('int64', new BigInt64Array(count), dims);
    case 'uint64':
      return new Tensor('uint64', new BigUint64Array(count), dims);
    case 'float16':
      return new Tensor('float16', new Uint16Array(count), dims);
    case 'bool':
      return new Tensor('bool', new Uint8Array(count), dims);
    case 'float32':
      return new Tensor('float32', new Float32Array(count), dims);
    default:
      return new Tensor(type as 'float64', new Array<number>(count).fill(0), dims);
  }
}

async function validate(): Promise<object> {
  const file = readFileSync(path);
  await InferenceSession.create(Buffer.from(TINY_MODEL, 'base64'));
  const before = process.memoryUsage.rss();
  const session = await InferenceSession.create(file, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const inputs = describe(session.inputMetadata);
  const report = { inputs, outputs: describe(session.outputMetadata) };
  const shapes = inputs.map((input) => rowShapeOf(input, Number(features)));
  if (shapes.includes(undefined)) return { ...report, rowMicros: 0, dims: {} };
  const run = (rows: number): Promise<InferenceSession.OnnxValueMapType> =>
    session.run(
      Object.fromEntries(inputs.map(({ name, type }, index) => [name, zeros(type, [rows, ...(shapes[index] ?? [])])])),
    );
  const results = await run(ROWS);
  const dims = Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, tensor.dims]));
  const bestOf = async (rows: number): Promise<number> => {
    let best = Infinity;
    const until = Date.now() + TIMED_MS;
    for (let index = 0; index < TIMED_RUNS && (index === 0 || Date.now() < until); index += 1) {
      const from = process.hrtime.bigint();
      await run(rows);
      best = Math.min(best, Number(process.hrtime.bigint() - from) / 1_000);
    }
    return Math.round((best / rows) * 10) / 10;
  };
  const rowMicros = await bestOf(1);
  // A slow one is not made to prove how slow it is.
  const batchRowMicros = rowMicros > SLOW_ROW_MICROS ? rowMicros : await bestOf(BATCH_ROWS);
  // What the file says is the least; the rest of the process grows and shrinks as well.
  const modelBytes = Math.max(file.byteLength, process.memoryUsage.rss() - before);
  return { ...report, rows: ROWS, dims, rowMicros, batchRowMicros, modelBytes };
}

validate().then(
  (report) => {
    const maxRssMiB = Math.round(process.resourceUsage().maxRSS / 1_024);
    writeSync(1, `${JSON.stringify({ kind: 'report', ...report, maxRssMiB })}\n`);
    process.exit(0);
  },
  (error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    writeSync(1, `${JSON.stringify({ kind: 'fault', message: message.slice(0, 500) })}\n`);
    process.exit(0);
  },
);

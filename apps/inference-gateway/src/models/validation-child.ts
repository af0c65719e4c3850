// Runs in a process of its own, which may crash, hang or swell: loads one model file and runs rows through it. Prints one
// line of JSON (ValidationReport of validation.ts). Arguments: model file, input name, number of features.
import { readFileSync, writeSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const [path = '', inputName = '', features = '0'] = process.argv.slice(2);
const ROWS = 3;
const TIMED_RUNS = 5;

async function validate(): Promise<object> {
  const session = await InferenceSession.create(readFileSync(path), { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const describe = (values: readonly InferenceSession.ValueMetadata[]): object[] =>
    values.map((value) =>
      value.isTensor
        ? { name: value.name, type: value.type, shape: value.shape.map((d) => (typeof d === 'number' ? d : -1)) }
        : { name: value.name, type: 'no tensor', shape: [] },
    );
  const inputs = describe(session.inputMetadata);
  const outputs = describe(session.outputMetadata);
  const report = { inputs, outputs };
  const only = session.inputMetadata[0];
  if (session.inputMetadata.length !== 1 || only?.name !== inputName || !only.isTensor || only.type !== 'float32') {
    return { ...report, rowMicros: 0, dims: {} };
  }
  const width = Number(features);
  const run = (rows: number): Promise<InferenceSession.OnnxValueMapType> =>
    session.run({ [inputName]: new Tensor('float32', new Float32Array(rows * width), [rows, width]) });
  const results = await run(ROWS);
  const dims = Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, tensor.dims]));
  let best = Infinity;
  for (let index = 0; index < TIMED_RUNS; index += 1) {
    const from = process.hrtime.bigint();
    await run(1);
    best = Math.min(best, Number(process.hrtime.bigint() - from) / 1_000);
  }
  return { ...report, rows: ROWS, dims, rowMicros: Math.round(best) };
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

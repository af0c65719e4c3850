// The process that ModelProcess starts: loads one model file and scores the rows that it is sent, one message at a time.
// Arguments: model file, columns of its input, task.
import { readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { INPUT_NAME, OUTPUT_OF, type ChildMessage, type ScoreRequest, type Task } from './model-messages';

const [path = '', columns = '0', task = 'binary'] = process.argv.slice(2);

function say(message: ChildMessage): void {
  process.send?.(message);
}

function fault(code: string, message: string): void {
  say({ kind: 'fault', code, message: message.slice(0, 500) });
}

/** Why the model cannot be asked by rows of features, or undefined. */
function inputFault(session: InferenceSession): string | undefined {
  const [input, ...others] = session.inputMetadata;
  if (!input?.isTensor || others.length > 0 || input.name !== INPUT_NAME || input.type !== 'float32') {
    const found = session.inputMetadata.map((each) => `"${each.name}" ${each.isTensor ? each.type : 'no tensor'}`);
    return `expected one input "${INPUT_NAME}" float32 [N, ${columns}], found ${found.join(', ') || 'none'}`;
  }
  const width = input.shape[1];
  if (input.shape.length !== 2 || (typeof width === 'number' && width >= 0 && width !== Number(columns))) {
    return `input "${INPUT_NAME}" has the shape [${input.shape.join(', ')}], the signature has ${columns} features`;
  }
  return undefined;
}

async function score(session: InferenceSession, { rows, features }: ScoreRequest): Promise<void> {
  const { name, width, index } = OUTPUT_OF[task as Task];
  const results = await session.run({ [INPUT_NAME]: new Tensor('float32', features, [rows, Number(columns)]) });
  const output = results[name];
  if (!output || (output.type !== 'float32' && output.type !== 'float64') || output.data.length !== rows * width) {
    const found = output ? `${output.type} [${output.dims.join(', ')}]` : 'none';
    return fault('signature_mismatch', `a ${task} model answers by "${name}" float32 [N, ${width}], found ${found}`);
  }
  const data = output.data as Float32Array | Float64Array;
  const scores = new Float64Array(rows);
  for (let row = 0; row < rows; row += 1) scores[row] = data[row * width + index] ?? NaN;
  say({ kind: 'scores', scores });
}

async function start(): Promise<void> {
  // As the gateway runs it: one thread, so that sums are added in one order.
  const session = await InferenceSession.create(readFileSync(path), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  });
  const refused = inputFault(session);
  if (refused !== undefined) return fault('signature_mismatch', refused);
  process.on('message', (request: ScoreRequest) => {
    score(session, request).catch((error: unknown) =>
      fault('model_failed', error instanceof Error ? error.message : String(error)),
    );
  });
  say({ kind: 'ready' });
}

process.once('disconnect', () => process.exit(0));
start().catch((error: unknown) => fault('load_failed', error instanceof Error ? error.message : String(error)));

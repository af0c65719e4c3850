// The only place besides the validation child that touches the runtime.
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { isOutputType, OUTPUT_TYPES, type Outputs, type OutputSpec, type RowModel, type RowTensor } from './tensors';

/** The trainer's contract: one input, float32 [N, F]. */
export const INPUT_NAME = 'features';

export class OnnxModel implements RowModel {
  private constructor(
    private readonly session: InferenceSession,
    readonly width: number,
    readonly outputs: readonly OutputSpec[],
  ) {}

  /** Of bytes that were validated in a child process before. */
  static async load(bytes: Uint8Array, width: number): Promise<OnnxModel> {
    // One thread: the event loop waits for the run anyway, and spinning pools would take the cores from everybody else.
    const session = await InferenceSession.create(bytes, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
    });
    const outputs = session.outputMetadata.map((output): OutputSpec => {
      if (!output.isTensor || !isOutputType(output.type)) {
        throw new TypeError(`output "${output.name}" is no tensor of ${Object.keys(OUTPUT_TYPES).join(', ')}`);
      }
      const shape = output.shape.map((dimension) => (typeof dimension === 'number' ? dimension : -1));
      return { name: output.name, datatype: OUTPUT_TYPES[output.type].datatype, shape };
    });
    return new OnnxModel(session, width, outputs);
  }

  /** Blocks the event loop while it computes; a few microseconds a row for the models that are let in. */
  async run(features: Float32Array, rows: number): Promise<Outputs> {
    const results = await this.session.run({
      [INPUT_NAME]: new Tensor('float32', features, [rows, this.width]),
    });
    const outputs: Record<string, RowTensor> = {};
    for (const { name } of this.outputs) {
      const tensor = results[name];
      if (!tensor) throw new TypeError(`the model gave no output "${name}"`);
      outputs[name] = { data: dataOf(tensor), dims: tensor.dims };
    }
    return outputs;
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

function dataOf({ data, type }: Tensor): RowTensor['data'] {
  if (
    data instanceof Float32Array ||
    data instanceof Float64Array ||
    data instanceof Int32Array ||
    data instanceof BigInt64Array ||
    data instanceof Uint8Array
  ) {
    return data;
  }
  throw new TypeError(`an output has the type ${type}, which is not served`);
}

// The only place besides the validation child that touches the runtime: in this process, or in a model host.
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { unpackRows } from './row-packing';
import {
  DATATYPES,
  datatypeOf,
  isStrings,
  rowSize,
  type OutputSpec,
  type Outputs,
  type PackedRows,
  type RowModel,
  type RowTensor,
  type TensorData,
  type TensorSpec,
} from './tensors';

/** The trainer's contract: one input, float32 [N, F]. */
export const INPUT_NAME = 'features';

const WARM_ROWS = 64;

export class OnnxModel implements RowModel {
  readonly rowBytes: number;
  readonly rowStrings: number;

  private constructor(
    private readonly session: InferenceSession,
    readonly inputs: readonly TensorSpec[],
    readonly outputs: readonly OutputSpec[],
  ) {
    ({ rowBytes: this.rowBytes, rowStrings: this.rowStrings } = rowSize(inputs));
  }

  /** Of bytes that were validated in a child process before. `inputs` as they were found and promised there. */
  static async load(bytes: Uint8Array, inputs: readonly TensorSpec[]): Promise<OnnxModel> {
    // One thread: there are as many model hosts as the machine has cores for them, and pools that spin would take the
    // cores from everybody else.
    const session = await InferenceSession.create(bytes, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
    });
    const outputs = session.outputMetadata.map((output): OutputSpec => {
      const datatype = output.isTensor ? datatypeOf(output.type) : undefined;
      if (!output.isTensor || datatype === undefined) {
        throw new TypeError(`output "${output.name}" is no tensor of a type that is served`);
      }
      const shape = output.shape.map((dimension) => (typeof dimension === 'number' ? dimension : -1));
      return { name: output.name, datatype, shape };
    });
    return new OnnxModel(session, inputs, outputs);
  }

  /** First runs allocate and pick kernels, for one row and for many: no caller waits for that. */
  async warm(): Promise<void> {
    for (const rows of [1, WARM_ROWS, 1]) {
      const strings = new Array<string>(rows * this.rowStrings).fill('');
      await this.run({ rows, bytes: new Uint8Array(rows * this.rowBytes), strings });
    }
  }

  /** Blocks the event loop while it computes. */
  async run(packed: PackedRows): Promise<Outputs> {
    const columns = unpackRows(this.inputs, packed);
    const feeds: Record<string, Tensor> = {};
    this.inputs.forEach(({ name, datatype, shape }, index) => {
      feeds[name] = tensorOf(DATATYPES[datatype].runtime, columns[index] ?? [], [packed.rows, ...shape.slice(1)]);
    });
    const results = await this.session.run(feeds);
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

function tensorOf(type: string, data: TensorData, dims: readonly number[]): Tensor {
  // The runtime's own types allow only the pairs of type and array that DATATYPES has.
  return new Tensor(type as 'float32', data as Float32Array, dims);
}

function dataOf(tensor: Tensor): TensorData {
  const data = tensor.data as TensorData;
  // Half precision comes as Float16Array where the language has it; its bits are what is served.
  if (tensor.type !== 'float16' || isStrings(data)) return data;
  return new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
}

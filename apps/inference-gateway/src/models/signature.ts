// What a model takes and gives, as found in its file, against what its version's signature promises.
import type {
  ModelSignature,
  TensorSpec as PromisedTensor,
} from '@headrace/contracts/proto/training/v1/training_events';
import { INPUT_NAME } from './onnx-model';
import { datatypeOf, describeTensor, rowsFault, type TensorSpec } from './tensors';
import type { ValidationReport } from './validation';

export type SignatureReading =
  | { readonly kind: 'tensors'; readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] }
  | { readonly kind: 'mismatch'; readonly message: string };

/** The trainer's models answer by these. */
const OUTPUT_OF = {
  binary: { name: 'probabilities', width: 2 },
  regression: { name: 'prediction', width: 1 },
} as const;

/**
 * With feature columns: the trainer's contract, one input of float32 [N, features]. Without: any inputs whose first
 * dimension counts rows and whose others are fixed; they must be those of the signature, when it lists some.
 */
export function tensorsOf(report: ValidationReport, signature: ModelSignature): SignatureReading {
  const features = signature.features.length;
  const fault =
    outputsFault(report) ??
    (features > 0
      ? (featuresFault(report, features) ?? scoreFault(report, signature.task))
      : (inputsFault(report) ??
        promiseFault('input', report.inputs, signature.inputs) ??
        promiseFault('output', report.outputs, signature.outputs)));
  if (fault !== undefined) return { kind: 'mismatch', message: fault };
  const inputs = report.inputs.flatMap(({ name, type, shape }): TensorSpec[] => {
    const datatype = datatypeOf(type);
    return datatype === undefined ? [] : [{ name, datatype, shape: features > 0 ? [-1, features] : shape }];
  });
  const outputs = report.outputs.flatMap(({ name, type, shape }): TensorSpec[] => {
    const datatype = datatypeOf(type);
    return datatype === undefined ? [] : [{ name, datatype, shape }];
  });
  return { kind: 'tensors', inputs, outputs };
}

function featuresFault({ inputs }: ValidationReport, features: number): string | undefined {
  const [input, ...others] = inputs;
  if (!input || others.length > 0 || input.name !== INPUT_NAME || input.type !== 'float32') {
    const found = inputs.map(({ name, type }) => `"${name}" ${type}`).join(', ');
    return `expected one input "${INPUT_NAME}" float32 [N, ${features}], found ${found || 'none'}`;
  }
  const [, columns = -1] = input.shape;
  if (input.shape.length !== 2 || (columns !== -1 && columns !== features)) {
    return `input "${INPUT_NAME}" has the shape [${input.shape.join(', ')}], the signature has ${features} features`;
  }
  return undefined;
}

function inputsFault({ inputs }: ValidationReport): string | undefined {
  if (inputs.length === 0) return 'it has no inputs';
  for (const { name, type, shape } of inputs) {
    const fault = rowsFault(type, shape);
    if (fault !== undefined) return `input "${name}": ${fault}`;
    if (shape.slice(1).some((dimension) => dimension < 1)) {
      return `input "${name}" has the shape [${shape.join(', ')}]: expected fixed dimensions after the first`;
    }
  }
  return undefined;
}

function outputsFault({ outputs, dims, rows }: ValidationReport): string | undefined {
  for (const { name, type } of outputs) {
    if (datatypeOf(type) === undefined) return `output "${name}" is ${type}, which is not served`;
    const found = dims[name];
    if (found && found[0] !== rows) return `output "${name}" has the shape [${found.join(', ')}] for ${rows} rows`;
  }
  return undefined;
}

function scoreFault({ outputs, dims }: ValidationReport, task: string): string | undefined {
  const wanted = task === 'binary' ? OUTPUT_OF.binary : OUTPUT_OF.regression;
  const output = outputs.find(({ name }) => name === wanted.name);
  const found = dims[wanted.name] ?? [];
  const width = found.slice(1).reduce((product, dimension) => product * dimension, 1);
  if (!output || (output.type !== 'float32' && output.type !== 'float64') || width !== wanted.width) {
    const what = output ? `${output.type} [${found.join(', ')}]` : 'none';
    return `a ${task} model answers by "${wanted.name}" float32 [N, ${wanted.width}], found ${what}`;
  }
  return undefined;
}

/** −1 in either shape fits anything. */
function promiseFault(
  what: string,
  found: ValidationReport['inputs'],
  promised: readonly PromisedTensor[],
): string | undefined {
  if (promised.length === 0) return undefined;
  for (const { name, datatype, shape } of promised) {
    const tensor = found.find((one) => one.name === name);
    const wanted = `${what} "${name}" ${datatype} [${shape.join(', ')}]`;
    if (!tensor) return `the signature has ${wanted}, the model has no such ${what}`;
    const type = datatypeOf(tensor.type);
    const fits =
      shape.length === tensor.shape.length &&
      tensor.shape.every((dimension, index) => dimension === -1 || shape[index] === -1 || shape[index] === dimension);
    if (type !== datatype || !fits) {
      const own = type ? describeTensor({ name, datatype: type, shape: tensor.shape }) : tensor.type;
      return `the signature has ${wanted}, the model has ${own}`;
    }
  }
  const extra = found.find(({ name }) => !promised.some((one) => one.name === name));
  return extra ? `the model has ${what} "${extra.name}", which the signature lacks` : undefined;
}

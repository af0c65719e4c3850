// Tensors of a request to the packed rows of a model. Every fault is an `invalid` DomainError that names the tensor, what was
// expected and what came.
import { DomainError } from '@headrace/contracts';
import { packRows, type InputRows } from '../models/row-packing';
import { describeTensor, rowElements, type PackedRows, type RowModel, type TensorSpec } from '../models/tensors';
import { readPayload } from './read-payload';
import { quoted, tensorFault, type InputTensor, type TensorRequest } from './tensor-request';

/** NaN is a missing value. Raw contents of a model with one input are not copied. */
export function readInputs(request: TensorRequest, model: Pick<RowModel, 'inputs'>, maxRows: number): PackedRows {
  const { inputs: specs } = model;
  refuseUnknown(request.inputs, specs);
  const parts: InputRows[] = [];
  let rows = 0;
  let rowsOf = '';
  for (const spec of specs) {
    const tensor = only(request.inputs, spec);
    if (tensor.datatype !== spec.datatype) {
      throw tensorFault(spec.name, `expected datatype ${spec.datatype}, got ${quoted(tensor.datatype)}`);
    }
    const own = readRows(tensor, spec, maxRows);
    if (rowsOf !== '' && own !== rows) {
      throw tensorFault(spec.name, `expected ${rows} rows as in input "${rowsOf}", got ${own}`);
    }
    [rows, rowsOf] = [own, spec.name];
    parts.push(readPayload(tensor.payload, spec, own * rowElements(spec), own));
  }
  return packRows(specs, parts, rows);
}

function refuseUnknown(inputs: readonly InputTensor[], specs: readonly TensorSpec[]): void {
  for (const { name } of inputs) {
    if (specs.some((spec) => spec.name === name)) continue;
    const takes = specs.map((spec) => `"${spec.name}" ${describeTensor(spec)}`).join(', ');
    const what = specs.length === 1 ? 'one input' : `${specs.length} inputs`;
    const message = `input ${quoted(name)} is unknown: the model takes ${what}, ${takes}`;
    throw new DomainError('invalid', 'unknown_input', message);
  }
}

function only(inputs: readonly InputTensor[], spec: TensorSpec): InputTensor {
  const [tensor, ...more] = inputs.length === 1 ? inputs : inputs.filter(({ name }) => name === spec.name);
  if (tensor?.name !== spec.name) throw tensorFault(spec.name, `it is missing; expected ${describeTensor(spec)}`);
  if (more.length > 0) throw tensorFault(spec.name, `expected once, got ${more.length + 1} times`);
  return tensor;
}

function readRows({ shape }: InputTensor, spec: TensorSpec, maxRows: number): number {
  const rows = Number(shape[0] ?? 0);
  const fits =
    shape.length === spec.shape.length &&
    spec.shape.every((dimension, index) => index === 0 || Number(shape[index]) === dimension);
  if (!fits || !Number.isInteger(rows) || rows < 1) {
    const expected = describeTensor(spec).slice(spec.datatype.length + 1);
    const got = shape.slice(0, 10).join(', ');
    const message = `expected shape ${expected} with N of at least 1, got [${got}${shape.length > 10 ? ', …' : ''}]`;
    throw tensorFault(spec.name, message);
  }
  if (rows > maxRows) throw tensorFault(spec.name, `expected at most ${maxRows} rows in one request, got ${shape[0]}`);
  return rows;
}

// The answer to `…/infer`: JSON, and behind it the outputs that were asked for as binary data.
import { guardrailNotes } from '../open-inference/guardrail-notes';
import { halfValue } from '../open-inference/half';
import { outputOf, rawContents } from '../open-inference/write-outputs';
import { isStrings, type Datatype, type OutputSpec, type TensorData } from '../models/tensors';
import type { TensorAnswer } from '../use-cases/infer-tensors';

export interface WrittenAnswer {
  readonly json: string;
  /** Behind the JSON, in the order of the outputs; undefined: no output was asked for as binary data. */
  readonly binary: readonly Uint8Array[] | undefined;
}

export function writeInfer(answer: TensorAnswer, id: string, isBinary: (output: string) => boolean): WrittenAnswer {
  const binary: Uint8Array[] = [];
  const outputs: string[] = [];
  let any = false;
  for (const output of answer.wanted) {
    const { name, datatype } = output;
    const { data, dims } = outputOf(answer.outputs, name);
    const head = `${headOf(output)}${dims.join(',')}]`;
    if (isBinary(name)) {
      any = true;
      const bytes = rawContents(data);
      binary.push(bytes);
      outputs.push(`${head},"parameters":{"binary_data_size":${bytes.byteLength}}}`);
    } else {
      outputs.push(`${head},"data":[${elements(data, datatype)}]}`);
    }
  }
  const named = id === '' ? '' : `"id":${JSON.stringify(id)},`;
  const model = `"model_name":${JSON.stringify(answer.endpoint)},"model_version":"${answer.version}"`;
  const notes = guardrailNotes(answer.guardrails);
  const parameters = notes.length === 0 ? '' : `"parameters":${JSON.stringify(Object.fromEntries(notes))},`;
  const json = `{${named}${model},${parameters}"outputs":[${outputs.join(',')}]}`;
  return { json, binary: any ? binary : undefined };
}

const heads = new WeakMap<OutputSpec, string>();

/** What every answer says alike of an output, up to its shape. */
function headOf(output: OutputSpec): string {
  let head = heads.get(output);
  if (head === undefined) {
    head = `{"name":${JSON.stringify(output.name)},"datatype":"${output.datatype}","shape":[`;
    heads.set(output, head);
  }
  return head;
}

/** Numbers of 64 bits have all their digits. What JSON has no number for: null for NaN, "Infinity" and "-Infinity". */
function elements(data: TensorData, datatype: Datatype): string {
  if (isStrings(data)) return data.map((text) => JSON.stringify(text)).join(',');
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return data.join(',');
  switch (datatype) {
    case 'BOOL':
      return Array.from(data, (value) => (value === 0 ? 'false' : 'true')).join(',');
    case 'FP16':
      return Array.from(data, (bits) => numberText(halfValue(bits))).join(',');
    case 'FP32':
    case 'FP64': {
      let text = '';
      for (let index = 0; index < data.length; index += 1) {
        text += index === 0 ? numberText(data[index] ?? NaN) : `,${numberText(data[index] ?? NaN)}`;
      }
      return text;
    }
    default:
      return data.join(',');
  }
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'null' : `"${value}"`;
}

// A look into the bytes of an ONNX file before any runtime touches it: refuses what could read other files, what needs
// operators of unknown origin and what is nested deeply enough to exhaust a stack. Field numbers: onnx.proto of ONNX 1.20.
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

const DOMAINS = new Set(['', 'ai.onnx', 'ai.onnx.ml']);
/** Graphs within nodes within graphs: If and Loop bodies. Exported tabular models have none. */
const MAX_DEPTH = 8;

export type InspectionFault = { readonly code: string; readonly message: string };

/** Undefined: nothing speaks against loading it (in a process that may die). */
export function inspectOnnx(bytes: Uint8Array): InspectionFault | undefined {
  try {
    let graphs = 0;
    const reader = new BinaryReader(bytes);
    eachField(reader, reader.len, (field, wire) => {
      if (field === 7 && wire === WireType.LengthDelimited) {
        graphs += 1;
        return inspectGraph(reader, 0);
      }
      if (field === 8 && wire === WireType.LengthDelimited) return inspectOperatorSet(reader);
      if (field === 25)
        throw new Refusal('local_functions', 'it declares functions of its own, which are not accepted');
      return false;
    });
    if (graphs === 1) return undefined;
    return { code: 'not_onnx', message: `expected an ONNX model with one graph, found ${graphs}` };
  } catch (error) {
    if (error instanceof Refusal) return { code: error.code, message: error.message };
    return {
      code: 'not_onnx',
      message: `not an ONNX model: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Visits the fields up to `end`. A visitor that read the field's value answers true; others are skipped. */
function eachField(reader: BinaryReader, end: number, visit: (field: number, wire: WireType) => boolean): void {
  while (reader.pos < end) {
    const [field, wire] = reader.tag();
    if (!visit(field, wire)) reader.skip(wire, field);
  }
  if (reader.pos > end) throw new RangeError('a field reaches beyond its message');
}

function inMessage(reader: BinaryReader, visit: (field: number, wire: WireType) => boolean): true {
  const length = reader.uint32();
  eachField(reader, reader.pos + length, visit);
  return true;
}

function inspectOperatorSet(reader: BinaryReader): true {
  return inMessage(reader, (field, wire) => {
    if (field !== 1 || wire !== WireType.LengthDelimited) return false;
    refuseUnknownDomain(reader.string(), 'operator set');
    return true;
  });
}

function inspectGraph(reader: BinaryReader, depth: number): true {
  if (depth > MAX_DEPTH) throw new Refusal('nested_too_deeply', `its graphs are nested more than ${MAX_DEPTH} deep`);
  return inMessage(reader, (field, wire) => {
    if (wire !== WireType.LengthDelimited) return false;
    if (field === 1) return inspectNode(reader, depth);
    if (field === 5) return inspectTensor(reader);
    if (field === 15) return inspectSparseTensor(reader);
    return false;
  });
}

function inspectNode(reader: BinaryReader, depth: number): true {
  return inMessage(reader, (field, wire) => {
    if (wire !== WireType.LengthDelimited) return false;
    if (field === 7) {
      refuseUnknownDomain(reader.string(), 'node');
      return true;
    }
    return field === 5 && inspectAttribute(reader, depth);
  });
}

function inspectAttribute(reader: BinaryReader, depth: number): true {
  return inMessage(reader, (field, wire) => {
    if (wire !== WireType.LengthDelimited) return false;
    if (field === 5 || field === 10) return inspectTensor(reader);
    if (field === 6 || field === 11) return inspectGraph(reader, depth + 1);
    if (field === 22 || field === 23) return inspectSparseTensor(reader);
    return false;
  });
}

function inspectSparseTensor(reader: BinaryReader): true {
  return inMessage(reader, (field, wire) => {
    if (wire !== WireType.LengthDelimited || (field !== 1 && field !== 2)) return false;
    return inspectTensor(reader);
  });
}

function inspectTensor(reader: BinaryReader): true {
  return inMessage(reader, (field, wire) => {
    const external =
      (field === 13 && wire === WireType.LengthDelimited) ||
      (field === 14 && wire === WireType.Varint && reader.int32() !== 0);
    if (external) throw new Refusal('external_data', 'a tensor of it lies in another file, which is not accepted');
    return field === 14;
  });
}

function refuseUnknownDomain(domain: string, what: string): void {
  if (DOMAINS.has(domain)) return;
  throw new Refusal('unknown_operators', `a ${what} belongs to the domain "${domain}": expected ai.onnx or ai.onnx.ml`);
}

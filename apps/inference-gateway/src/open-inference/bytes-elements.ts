// BYTES tensors: each element is its length (uint32, little-endian) and that many bytes. Models take them as UTF-8 strings.
import { isUtf8 } from 'node:buffer';

const encoder = new TextEncoder();

/** The elements as views, or what is wrong. */
export function joinedElements(bytes: Uint8Array, count: number): Uint8Array[] | string {
  // Each element has at least its length: more of them than that cannot be in there.
  if (bytes.byteLength < count * 4)
    return `${bytes.byteLength} bytes are too few for ${count} elements with their lengths`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    if (at + 4 > bytes.byteLength) return `the bytes end before the length of element ${index}`;
    const length = view.getUint32(at, true);
    at += 4;
    if (at + length > bytes.byteLength)
      return `element ${index} has ${length} bytes, ${bytes.byteLength - at} are left`;
    elements.push(bytes.subarray(at, at + length));
    at += length;
  }
  if (at !== bytes.byteLength) return `${bytes.byteLength - at} bytes are left after ${count} elements`;
  return elements;
}

/** Undefined: not UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  if (!isUtf8(bytes)) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

export function joinElements(texts: readonly string[]): Uint8Array {
  const elements = texts.map(encodeText);
  const joined = new Uint8Array(elements.reduce((sum, { byteLength }) => sum + 4 + byteLength, 0));
  const view = new DataView(joined.buffer);
  let at = 0;
  for (const element of elements) {
    view.setUint32(at, element.byteLength, true);
    joined.set(element, at + 4);
    at += 4 + element.byteLength;
  }
  return joined;
}
